"""What the chapter on fine-tuning runs on."""

import pytest
import torch

from tlbook.errors import TlbookError
from tlbook.lessons import finetune
from tlbook.methods import LayerTransfer


def test_an_unknown_profile_is_refused_by_its_name() -> None:
    with pytest.raises(TlbookError, match="profile is 'fast'; expected 'quick' or 'paper'"):
        finetune.photographs("fast")


def test_a_training_takes_the_lessons_steps_and_follows_its_seed() -> None:
    lesson = finetune.photographs("quick")
    few = lesson.target.per_class(1, seed=0)
    weights = {}
    for name, how in {"own": {}, "same": {"steps": lesson.steps}, "short": {"steps": 1}}.items():
        torch.manual_seed(0)
        method = lesson.train(finetune.network(), few, seed=0, **how)
        weights[name] = method.label_head.weight
    assert torch.equal(weights["own"], weights["same"])
    assert not torch.equal(weights["own"], weights["short"])


def test_the_network_names_its_five_layers() -> None:
    assert list(LayerTransfer.layers(finetune.network())) == ["conv1", "conv2", "fc1", "fc2", "label_head"]
