"""What the chapter on zero-shot learning runs on."""

from collections import Counter

import numpy as np
import pytest

from tlbook.errors import TlbookError
from tlbook.lessons import zero_shot


@pytest.fixture(scope="module")
def lesson() -> zero_shot.Lesson:
    return zero_shot.digits("quick")


def test_an_unknown_profile_is_refused_by_its_name() -> None:
    with pytest.raises(TlbookError, match="profile is 'fast'; expected 'quick' or 'paper'"):
        zero_shot.digits("fast")


def test_each_digit_is_held_out_as_often_and_no_choice_twice(lesson: zero_shot.Lesson) -> None:
    assert set(Counter(c for held in lesson.choices for c in held).values()) == {6}
    assert len(set(lesson.choices)) == 20


def test_no_handwriting_of_a_digit_held_out_is_learned_from_or_describes_it(lesson: zero_shot.Lesson) -> None:
    hand = lesson.hand
    spoiled = hand._replace(measures=np.where(np.isin(hand.y, [3, 6, 8])[:, None], 99.0, hand.measures))
    other = zero_shot.Lesson(**{**vars(lesson), "hand": spoiled})
    for one, two in zip(lesson.problem((3, 6, 8)), other.problem((3, 6, 8)), strict=True):
        assert np.array_equal(one, two)
    by_hand = [a_lesson.problem((3, 6, 8), by_hand=True).signatures for a_lesson in (lesson, other)]
    assert not np.array_equal(*by_hand)


def test_digits_left_out_are_neither_learned_from_nor_asked_for(lesson: zero_shot.Lesson) -> None:
    task = lesson.problem((3, 6, 8), without=(0, 1), every=slice(10))
    assert task.signatures.shape[0] == 8
    assert np.bincount(task.y).tolist() == [10] * 5


def test_rehearsals_hold_out_each_seen_digit_twice(lesson: zero_shot.Lesson) -> None:
    played = lesson.rehearsals((3, 6, 8))
    assert len(played) == 7
    assert all(task.seen.sum() == 5 and len(task.seen) == 7 for task in played)
