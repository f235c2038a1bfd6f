"""What the chapter on capsules runs on."""

import pytest
import torch

from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.lessons import capsules


def dot(size: int = 8) -> Domain:
    x = torch.zeros(1, 1, size, size, dtype=torch.uint8)
    x[0, 0, 1, 2] = 200
    return Domain("dot", x, torch.tensor([0]), ("dot",))


def test_an_unknown_profile_is_refused_by_its_name() -> None:
    with pytest.raises(TlbookError, match="profile is 'fast'; expected 'quick' or 'paper'"):
        capsules.digits("fast")


@pytest.mark.parametrize(
    ("pose", "row", "column"),
    [({}, 1, 2), ({"right": 3}, 1, 5), ({"turn": 180}, 6, 5), ({"turn": 90}, 5, 1), ({"turn": -90}, 2, 6)],
)
def test_a_pose_moves_a_dot_to_where_it_should_be(pose: dict[str, float], row: int, column: int) -> None:
    moved = capsules.affine(dot(), **pose).x[0, 0]
    assert moved.dtype == torch.uint8
    assert moved[row, column] == 200
    assert moved.sum() == 200


def test_zoom_makes_smaller_above_one_and_larger_below() -> None:
    x = torch.full((1, 1, 8, 8), 100, dtype=torch.uint8)
    whole = Domain("whole", x, torch.tensor([0]), ("whole",))
    filled = {zoom: int((capsules.affine(whole, zoom=zoom).x > 0).sum()) for zoom in (2.0, 1.0, 0.5)}
    assert filled[2.0] < filled[1.0] == filled[0.5]


@pytest.mark.parametrize("zoom", [0, -1, float("nan")])
def test_a_zoom_to_nothing_is_refused(zoom: float) -> None:
    with pytest.raises(TlbookError, match=r"^zoom is .*; expected a number above 0"):
        capsules.affine(dot(), zoom=zoom)


def test_both_networks_have_as_many_weights() -> None:
    sizes = [sum(w.numel() for w in m.parameters()) for m in (capsules.capsnet().features, capsules.cnn())]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)


def test_a_training_takes_the_lessons_steps_and_follows_its_seed() -> None:
    x = torch.randint(256, (10, 1, 14, 14), dtype=torch.uint8)
    train, weights = Domain("noise", x, torch.arange(10), tuple("0123456789")), {}
    lesson = capsules.Lesson(train, train, train, steps=2)
    for name, how in {"own": {}, "same": {"steps": 2}, "short": {"steps": 1}}.items():
        torch.manual_seed(0)
        weights[name] = lesson.fit(capsules.cnn(), 0, **how).label_head.state_dict()
    assert all(torch.equal(weights["own"][key], value) for key, value in weights["same"].items())
    assert not all(torch.equal(weights["own"][key], value) for key, value in weights["short"].items())
