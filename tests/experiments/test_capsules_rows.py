"""The training images at all their places, the authors' schedule, and the networks of the two rows."""

import pytest
import torch

from tlbook.data import Domain
from tlbook.experiments import capsules


def test_shifted_is_every_image_at_every_place_with_its_label() -> None:
    x = torch.arange(1, 19, dtype=torch.uint8).view(2, 1, 3, 3)
    made = capsules.shifted(Domain("two", x, torch.tensor([1, 0]), ("a", "b")), 2)
    assert made.x.shape == (50, 1, 3, 3)
    assert made.x.dtype == torch.uint8
    expected = []
    for down in range(-2, 3):
        for right in range(-2, 3):
            for image, label in zip(x[:, 0].tolist(), (1, 0), strict=True):
                moved = [
                    [
                        image[row - down][column - right] if 0 <= row - down < 3 and 0 <= column - right < 3 else 0
                        for column in range(3)
                    ]
                    for row in range(3)
                ]
                expected.append((moved, label))
    assert sorted(zip(made.x[:, 0].tolist(), made.labels().tolist(), strict=True)) == sorted(expected)


def test_the_rate_falls_as_in_the_authors_code() -> None:
    assert capsules.decay(0.0) == 1
    assert abs(capsules.decay(2_000 / 300_000) - 0.96) < 1e-12
    assert abs(capsules.decay(1.0) - 0.00219) < 1e-5
    assert capsules.MNIST.training.schedule is capsules.decay


def test_the_short_row_falls_to_a_tenth() -> None:
    assert [capsules.MNIST_SHORT.training.schedule(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1, 0.1**0.5, 0.1])


def test_training_images_are_moved_by_up_to_two_pixels_and_test_images_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, split: str) -> Domain:
        return Domain(split, torch.full((2, 1, 28, 28), 200, dtype=torch.uint8), torch.tensor([0, 1]), ("a", "b"))

    monkeypatch.setattr(capsules, "load", load)
    train, target, test = capsules.mnist(0)
    assert (train.name, len(train), target, test.name, len(test)) == ("train", 50, None, "test", 2)
    assert train.x[::2].float().sum(dim=(1, 2, 3)).min() == 200 * 26 * 26


def test_the_networks_have_the_sizes_that_the_rows_state() -> None:
    paper, small = capsules.papers_network(), capsules.small_network()
    assert sum(p.numel() for p in paper.parameters()) == 8_215_568
    assert small.features[1].weight.shape == (64, 1, 9, 9)
    assert small.features[3].conv.weight.shape == (64, 64, 9, 9)
    assert small.features[4].weight.shape == (10, 8, 288, 16)
    assert [p.shape[0] for p in small.decoder.parameters() if p.dim() == 2] == [128, 256, 784]
    assert all(method.reconstruction == 0.0005 for method in (paper, small))
    for row, network in ((capsules.MNIST, paper), (capsules.MNIST_SHORT, small)):
        assert [p.shape for p in row.method(0).parameters()] == [p.shape for p in network.parameters()]


def test_the_words_for_the_networks_are_those_of_their_layers() -> None:
    for row in (capsules.MNIST, capsules.MNIST_SHORT):
        method = row.method(0)
        _, conv, _, primary, digits = method.features
        classes, width, _, long = digits.weight.shape
        kinds = primary.conv.weight.shape[0] // width
        sizes = ", ".join(str(p.shape[0]) for p in method.decoder.parameters() if p.dim() == 2)
        assert row.network == (
            f"conv {conv.weight.shape[0]}×9×9, {kinds} kinds of capsules of {width} by 9×9 with stride "
            f"{primary.conv.stride[0]}, {classes} capsules of {long}; decoder {sizes}"
        )
