"""The contract of Domain: what it accepts, what its methods keep, and how it says no."""

import dataclasses
import hashlib

import pytest
import torch

from tlbook.data import Domain, checksum
from tlbook.errors import TlbookError

CLASSES = ("cat", "dog", "owl")


@pytest.fixture
def domain() -> Domain:
    """Sixty images, each told from the others by its value; thirty cats, twenty dogs, ten owls."""
    x = torch.arange(60, dtype=torch.uint8).view(60, 1, 1, 1).expand(60, 3, 4, 4).contiguous()
    y = torch.tensor([0, 1, 0, 2, 0, 1] * 10)
    return Domain("zoo", x, y, CLASSES)


def ids(domain: Domain) -> list[int]:
    return domain.x[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    ("x", "y", "classes", "says"),
    [
        ([[1.0]], None, CLASSES, "x is list, expected a tensor"),
        (torch.zeros(3), None, CLASSES, r"shape \(3,\), expected a tensor N×"),
        (torch.zeros(3, 2, dtype=torch.int32), None, CLASSES, "int32, expected uint8, floating point, or int64"),
        (torch.zeros(0, 2), None, CLASSES, "0 examples given, expected at least one"),
        (torch.zeros(3, 2), None, (), "expected one or more names"),
        (torch.zeros(3, 2), None, "cat", "'cat', expected one or more names"),
        (torch.zeros(3, 2), None, ("cat", 1), "expected one or more names"),
        (torch.zeros(3, 2), None, ("cat", "dog", "cat"), "expected one or more names, all different"),
        (torch.zeros(3, 2), None, None, "'None', expected one or more names"),
        (torch.zeros(3, 2), torch.tensor([0, 1]), CLASSES, r"\(2,\) for 3 examples, expected \(3,\)"),
        (torch.zeros(2, 2), torch.tensor([0, 3]), CLASSES, "from 0 to 3, expected 0…2"),
        (torch.zeros(2, 2), torch.tensor([-1, 2]), CLASSES, "from -1 to 2, expected 0…2"),
    ],
)
def test_bad_input_is_refused_in_one_line(x, y, classes, says):
    with pytest.raises(TlbookError, match=f"^pets: .*{says}.*; .+") as caught:
        Domain("pets", x, y, classes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", None, 3, "two\nlines"])
def test_a_name_is_a_word_or_two(name):
    with pytest.raises(TlbookError, match=r"^name is .*; expected a word or two[^\n]*$"):
        Domain(name, torch.zeros(3, 2), None, CLASSES)


def test_features_that_carry_a_gradient_are_detached():
    x = torch.zeros(3, 2, requires_grad=True) * 2
    domain = Domain("features", x, None, CLASSES)
    assert not domain.x.requires_grad
    assert x.requires_grad


def test_tokens_are_whole_numbers():
    domain = Domain("text", torch.tensor([[1, 2], [3, 0]]), None, CLASSES)
    assert domain.x.dtype == domain.take([1]).x.dtype == torch.int64
    assert repr(domain) == "Domain('text': 2 examples of 2 int64, unlabelled)"


def test_is_frozen_and_keeps_class_names_as_a_tuple():
    domain = Domain("pets", torch.zeros(1, 2), None, ["cat", "dog"])
    assert domain.classes == ("cat", "dog")
    with pytest.raises(dataclasses.FrozenInstanceError):
        domain.x = torch.ones(1, 2)


def test_repr_tells_size_shape_type_and_labels(domain):
    assert repr(domain) == "Domain('zoo': 60 examples of 3×4×4 uint8, 3 classes: cat, dog, owl)"
    assert repr(domain.unlabelled()) == "Domain('zoo': 60 examples of 3×4×4 uint8, unlabelled)"
    assert len(domain) == 60


def test_repr_of_many_classes_names_the_first_and_the_last():
    domain = Domain("digits", torch.zeros(1, 2), torch.tensor([3]), tuple("0123456789"))
    assert repr(domain) == "Domain('digits': 1 examples of 2 float32, 10 classes: 0, …, 9)"


def test_unlabelled_has_no_labels_to_peek_at(domain):
    target = domain.unlabelled()
    assert target.y is None
    assert target.x is domain.x
    with pytest.raises(TlbookError, match="no labels given, expected some"):
        target.labels()


def test_subset_keeps_order_and_numbering(domain):
    part = domain.subset(classes=["owl", 1])
    assert part.classes == CLASSES
    assert set(part.y.tolist()) == {1, 2}
    assert ids(part) == [i for i in range(60) if domain.y[i] in (1, 2)]


@pytest.mark.parametrize("unknown", ["cow", 3, -1])
def test_subset_names_the_classes_there_are(domain, unknown):
    with pytest.raises(TlbookError, match=f"unknown class {unknown!r}, expected one of cat, dog, owl"):
        domain.subset(classes=["cat", unknown])


def test_subset_of_unlabelled_or_of_nothing_is_refused(domain):
    with pytest.raises(TlbookError, match="no labels given"):
        domain.unlabelled().subset(classes=["cat"])
    with pytest.raises(TlbookError, match="0 examples given"):
        domain.subset(classes=[])


@pytest.mark.parametrize("index", [[0, 60], [-61], [True] * 59, [0.5], "abc", [[0]], None, torch.zeros(60)])
def test_take_of_what_is_not_there_is_one_line(domain, index):
    with pytest.raises(TlbookError, match=r"^zoo: index is a [^\n]*expected positions below 60[^\n]*$"):
        domain.take(index)


@pytest.mark.parametrize("seed", [-1, 0.5, "a", None])
def test_a_seed_is_a_whole_number(domain, seed):
    for draw in (domain.split, domain.per_class):
        with pytest.raises(TlbookError, match=r"^seed is [^\n]*expected a whole number[^\n]*$"):
            draw(0.5 if draw == domain.split else 3, seed=seed)


def test_per_class_draws_as_many_of_each_without_repeats(domain):
    few = domain.per_class(4, seed=1)
    assert few.y.bincount().tolist() == [4, 4, 4]
    assert ids(few) == sorted(set(ids(few)))
    assert torch.equal(few.y, domain.y[ids(few)])
    assert ids(few) == ids(domain.per_class(4, seed=1))
    assert ids(few) != ids(domain.per_class(4, seed=2))


def test_per_class_leaves_absent_classes_out(domain):
    assert domain.subset(["cat", "owl"]).per_class(3, seed=0).y.bincount().tolist() == [3, 0, 3]


@pytest.mark.parametrize("n", [0, 11])
def test_per_class_asks_no_more_than_there_are(domain, n):
    with pytest.raises(TlbookError, match=rf"^zoo: n is {n}; expected a whole number, at least 1 and at most 10"):
        domain.per_class(n, seed=0)


def test_split_is_stratified_complete_and_seeded(domain):
    first, second = domain.split(0.7, seed=3)
    assert first.y.bincount().tolist() == [21, 14, 7]
    assert second.y.bincount().tolist() == [9, 6, 3]
    assert sorted(ids(first) + ids(second)) == list(range(60))
    assert ids(first) == ids(domain.split(0.7, seed=3)[0])
    assert ids(first) != ids(domain.split(0.7, seed=4)[0])


def test_split_of_unlabelled_counts_examples(domain):
    first, second = domain.unlabelled().split(0.25, seed=0)
    assert (len(first), len(second)) == (15, 45)
    assert ids(first) != list(range(15))
    assert first.y is None


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 0.001])
def test_split_refuses_an_empty_part(domain, fraction):
    with pytest.raises(TlbookError, match=f"^zoo: fraction (is|=) {fraction}[^\n]*expected[^\n]*$"):
        domain.split(fraction, seed=0)


def test_images_repeats_grey_and_averages_colour():
    grey = Domain("grey", torch.tensor([10, 20], dtype=torch.uint8).view(2, 1, 1, 1), None, CLASSES)
    assert grey.images(channels=3).x.tolist() == [[[[10]]] * 3, [[[20]]] * 3]
    colour = Domain("colour", torch.tensor([[0.125, 0.25, 0.75]]).view(1, 3, 1, 1), None, CLASSES)
    assert colour.images(channels=1).x.tolist() == [[[[0.375]]]]


@pytest.mark.parametrize("size", [28, 9])
def test_images_resizes_like_interpolate_and_rounds(size):
    x = torch.randint(256, (5000, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    resized = Domain("usps", x, None, CLASSES).images(channels=3, size=size).x
    expected = torch.nn.functional.interpolate(x.float(), size=(size, size), mode="bilinear", antialias=True)
    assert resized.dtype == torch.uint8
    assert resized.is_contiguous()
    assert torch.equal(resized, expected.round().to(torch.uint8).expand(-1, 3, -1, -1))


def test_images_asked_for_what_they_are_stay_as_they_are(domain):
    assert torch.equal(domain.images(channels=3, size=4).x, domain.x)
    assert torch.equal(domain.images().x, domain.x)


@pytest.mark.parametrize("asked", [{"channels": 2}, {"channels": 0}, {"size": 0}, {"size": 2.5}, {"size": "28"}])
def test_images_refuses_what_cannot_be_made(domain, asked):
    with pytest.raises(TlbookError, match=f"{next(iter(asked))} (is|=) [^\n]*expected[^\n]*$"):
        domain.images(**asked)


def test_images_refuses_features():
    with pytest.raises(TlbookError, match=r"shape \(2, 5\); expected a batch of images N×C×H×W"):
        Domain("features", torch.zeros(2, 5), None, CLASSES).images(size=28)


def test_to_moves_both_and_lays_images_out_channels_last(domain):
    moved = domain.to("cpu")
    assert moved.x.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(moved.x, domain.x)
    assert moved.x.dtype == torch.uint8
    assert torch.equal(moved.y, domain.y)
    assert Domain("features", torch.zeros(2, 5), None, CLASSES).to("cpu").x.is_contiguous()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_methods_draw_the_same_examples_on_a_gpu(domain):
    there = domain.to("cuda")
    assert there.x.device.type == there.y.device.type == "cuda"
    for draw in (
        lambda d: d.per_class(4, seed=1),
        lambda d: d.split(0.7, seed=3)[0],
        lambda d: d.unlabelled().split(0.7, seed=3)[1],
        lambda d: d.subset(["owl"]),
        lambda d: d.images(channels=1, size=8),
    ):
        assert checksum(draw(there)) == checksum(draw(domain))


def test_checksum_is_over_type_shape_and_bytes(domain):
    expected = hashlib.sha256(
        b"torch.uint8 (60, 3, 4, 4) "
        + bytes(domain.x.flatten().tolist())
        + b"torch.int64 (60,) "
        + b"".join(label.to_bytes(8, "little") for label in domain.y.tolist())
    )
    assert checksum(domain) == expected.hexdigest()


def test_checksum_ignores_name_and_layout_only(domain):
    same = dataclasses.replace(domain.to("cpu"), name="other")
    assert checksum(same) == checksum(domain)
    assert len({checksum(d) for d in (domain, domain.unlabelled(), domain.images(1), domain.take(domain.y < 2))}) == 4


def test_images_that_have_the_form_already_are_not_copied() -> None:
    for x in (torch.zeros(3, 3, 8, 8, dtype=torch.uint8), torch.zeros(3, 3, 8, 8)):
        domain = Domain("d", x, None, ("a",))
        for form in ({}, {"size": 8}, {"channels": 3}, {"channels": 3, "size": 8}):
            assert domain.images(**form).x.data_ptr() == x.data_ptr()
