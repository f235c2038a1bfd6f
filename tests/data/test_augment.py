"""Copies of images: nearly the same, never the same, and reproducible."""

import pytest
import torch

from tlbook import Domain
from tlbook.data import jitter, load
from tlbook.data.augment import affine, affine_maps
from tlbook.errors import TlbookError

# the upper row of each map, drawn with the seed 0
FIRST = [[0.75309, 0.00148, -0.08253], [0.77155, -0.10907, 0.05746]]
SECOND = [[0.90909, 0.02112, -0.20472], [0.93877, -0.06514, -0.14192]]
DIGITS = load("digits", split="test")


def test_the_given_images_come_first_and_labels_follow_their_images() -> None:
    more = jitter(DIGITS, times=3, seed=0)
    assert len(more) == 3 * len(DIGITS)
    assert torch.equal(more.x[: len(DIGITS)], DIGITS.x)
    assert torch.equal(more.labels(), DIGITS.labels().repeat(3))


def test_a_copy_is_nearest_to_its_own_image() -> None:
    few = DIGITS.take(torch.arange(60))
    copies = jitter(few, times=2, seed=1, degrees=5, pixels=0.5, scale=0.05).x[60:]
    distance = torch.cdist(copies.flatten(1).float(), few.x.flatten(1).float())
    assert (distance.argmin(dim=1) == torch.arange(60)).float().mean() > 0.95
    assert distance.diagonal().min() > 0


def test_a_shift_alone_moves_by_at_most_that_many_pixels() -> None:
    x = torch.zeros(500, 1, 21, 21)
    x[:, :, 10, 10] = 1
    moved = jitter(Domain("dots", x, None, ("dot",)), times=2, seed=0, degrees=0, pixels=3, scale=0).x[500:]
    places = torch.arange(21.0)
    off = torch.stack([(moved.sum(dim=3)[:, 0] @ places), (moved.sum(dim=2)[:, 0] @ places)]) - 10
    assert off.abs().max() <= 3.001
    assert off.amax() > 2.8
    assert off.amin() < -2.8


def test_the_centre_stays_where_only_turn_and_scale_are_drawn() -> None:
    x = torch.zeros(50, 1, 21, 21)
    x[:, :, 10, 10] = 1
    moved = jitter(Domain("dots", x, None, ("dot",)), times=2, seed=0, degrees=45, pixels=0, scale=0).x[50:]
    assert (moved[:, 0, 10, 10] > 0.99).all()


def test_turn_scale_and_shifts_are_uniform_and_independent() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = affine_maps(4000, 20, 30.0, 3.0, 0.5, generator)
    angle, zoom = torch.atan2(maps[:, 1, 0], maps[:, 0, 0]), maps[:, :, 0].norm(dim=1)
    draws = torch.stack([angle.rad2deg() / 30, (zoom - 1) / 0.5, maps[:, 0, 2] * 10 / 3, maps[:, 1, 2] * 10 / 3])
    assert draws.abs().max() <= 1 + 1e-5
    torch.testing.assert_close(draws.std(dim=1), torch.full((4,), 3**-0.5), rtol=0.05, atol=0)
    assert (draws.corrcoef() - torch.eye(4)).abs().max() < 0.05
    torch.testing.assert_close(maps[:, 0, 0], maps[:, 1, 1])
    torch.testing.assert_close(maps[:, 0, 1], -maps[:, 1, 0])


def test_copies_are_drawn_as_when_results_were_recorded() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (affine_maps(2, 28, 15.0, 3.0, 0.3, generator) for _ in range(2))
    for maps, numbers in ((first, FIRST), (second, SECOND)):
        torch.testing.assert_close(maps[:, 0], torch.tensor(numbers), atol=1e-5, rtol=0)


def test_the_seed_decides() -> None:
    once, again, other = (jitter(DIGITS, times=2, seed=seed).x for seed in (0, 0, 1))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_an_unlabelled_domain_stays_unlabelled() -> None:
    assert jitter(DIGITS.unlabelled(), times=2, seed=0).y is None


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"times": 0}, "times is 0; expected a whole number, at least 1"),
        ({"times": 1.5}, "times is 1.5; expected a whole number"),
        ({"seed": -1}, "seed is -1; expected a whole number, at least 0"),
        ({"degrees": -1}, "degrees is -1; expected a number, at least 0"),
        ({"pixels": float("nan")}, "pixels is nan; expected a number"),
        ({"scale": 1}, "scale is 1; expected a number, at least 0 and below 1"),
    ],
)
def test_settings_out_of_range_are_refused(asked, says) -> None:
    with pytest.raises(TlbookError, match=rf"^{says}[^\n]*$"):
        jitter(DIGITS, **{"times": 2, "seed": 0} | asked)


def test_images_that_are_not_square_are_refused() -> None:
    with pytest.raises(TlbookError, match="expected square images"):
        jitter(Domain("toy", torch.zeros(2, 1, 3, 4), None, ("cat",)), times=2, seed=0)


def test_images_on_disk_are_refused(tmp_path) -> None:
    with pytest.raises(TlbookError, match=r"^digits lies on disk; expected a domain in memory[^\n]*$"):
        jitter(DIGITS.to_disk(tmp_path / "digits"), times=2, seed=0)


def dot(size: int = 8) -> Domain:
    x = torch.zeros(1, 1, size, size, dtype=torch.uint8)
    x[0, 0, 1, 2] = 200
    return Domain("dot", x, torch.tensor([0]), ("dot",))


@pytest.mark.parametrize(
    ("pose", "row", "column"),
    [({}, 1, 2), ({"right": 3}, 1, 5), ({"turn": 180}, 6, 5), ({"turn": 90}, 5, 1), ({"turn": -90}, 2, 6)],
)
def test_a_pose_moves_a_dot_to_where_it_should_be(pose: dict[str, float], row: int, column: int) -> None:
    moved = affine(dot(), **pose).x[0, 0]
    assert moved.dtype == torch.uint8
    assert moved[row, column] == 200
    assert moved.sum() == 200


def test_zoom_makes_smaller_above_one_and_larger_below() -> None:
    x = torch.full((1, 1, 8, 8), 100, dtype=torch.uint8)
    whole = Domain("whole", x, torch.tensor([0]), ("whole",))
    filled = {zoom: int((affine(whole, zoom=zoom).x > 0).sum()) for zoom in (2.0, 1.0, 0.5)}
    assert filled[2.0] < filled[1.0] == filled[0.5]


@pytest.mark.parametrize("zoom", [0, -1, float("nan")])
def test_a_zoom_to_nothing_is_refused(zoom: float) -> None:
    with pytest.raises(TlbookError, match=r"^zoom is .*; expected a number, above 0: 1 leaves the size as it is$"):
        affine(dot(), zoom=zoom)


def test_what_is_no_image_of_bytes_is_refused() -> None:
    with pytest.raises(TlbookError, match=r"^dot holds torch.float32; expected images of bytes \(uint8\) in memory$"):
        affine(Domain("dot", torch.zeros(1, 1, 8, 8), torch.tensor([0]), ("dot",)))
    with pytest.raises(TlbookError, match=r"^turn is nan; expected a number"):
        affine(dot(), turn=float("nan"))
