"""What the chapter on partial transfer runs on."""

import pytest
import torch

from tlbook.errors import TlbookError
from tlbook.lessons import partial_transfer


def test_an_unknown_profile_is_refused_by_its_name() -> None:
    with pytest.raises(TlbookError, match="profile is 'fast'; expected 'quick' or 'paper'"):
        partial_transfer.some_classes("fast")


def test_the_target_lacks_classes_and_labels() -> None:
    lesson = partial_transfer.some_classes("quick")
    assert lesson.target.y is None
    assert lesson.far_target.y is None
    assert set(lesson.source.labels().tolist()) == set(range(10))
    for test in (lesson.test, lesson.far_test):
        assert set(test.labels().tolist()) == set(partial_transfer.THERE)


def test_both_targets_show_the_same_digits_slanted_differently() -> None:
    lesson = partial_transfer.some_classes("quick")
    assert lesson.target.x.shape == lesson.far_target.x.shape
    assert torch.equal(lesson.test.labels(), lesson.far_test.labels())
    assert not torch.equal(lesson.test.x, lesson.far_test.x)
