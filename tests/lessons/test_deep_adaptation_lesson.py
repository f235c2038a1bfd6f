"""What the chapter on deep adaptation runs on."""

import pytest
import torch

from tlbook.errors import TlbookError
from tlbook.lessons import deep_adaptation


def test_an_unknown_profile_is_refused_by_its_name() -> None:
    with pytest.raises(TlbookError, match="profile is 'fast'; expected 'quick' or 'paper'"):
        deep_adaptation.leaning("fast")


def test_the_test_digits_are_the_same_in_both_domains() -> None:
    lesson = deep_adaptation.leaning("quick")
    assert torch.equal(lesson.source_test.labels(), lesson.target_test.labels())
    assert not torch.equal(lesson.source_test.x, lesson.target_test.x)
    assert deep_adaptation.leaning("paper").seeds > lesson.seeds


def test_a_start_follows_its_seed_and_a_training_takes_the_lessons_steps() -> None:
    lesson = deep_adaptation.leaning("quick")
    source, target = lesson.draw(0)
    assert len(source)
    assert len(target)
    one, again, other = (lesson.start(source, seed, steps=2) for seed in (0, 0, 1))
    assert torch.equal(one.label_head[0].weight, again.label_head[0].weight)
    assert not torch.equal(one.label_head[0].weight, other.label_head[0].weight)


def test_a_perceptron_has_as_many_hidden_layers_as_asked_for() -> None:
    for depth in (1, 3):
        features, head = deep_adaptation.perceptron(depth)
        assert sum(isinstance(layer, torch.nn.Linear) for layer in features.modules()) == depth
        assert head(features(torch.zeros(2, 1, 14, 14, dtype=torch.uint8))).shape == (2, 10)
