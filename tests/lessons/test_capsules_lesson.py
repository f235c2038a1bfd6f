"""What the chapter on capsules runs on."""

import pytest
import torch

from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.lessons import capsules


def test_an_unknown_profile_is_refused_by_its_name() -> None:
    with pytest.raises(TlbookError, match="profile is 'fast'; expected 'quick' or 'paper'"):
        capsules.digits("fast")


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
