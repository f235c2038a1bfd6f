"""What the chapter on classical adaptation runs on."""

import numpy as np
import pytest

from tlbook.errors import TlbookError
from tlbook.lessons import classical_adaptation


def test_an_unknown_profile_is_refused_by_its_name() -> None:
    for lesson in (classical_adaptation.leaning, classical_adaptation.unsharp):
        with pytest.raises(TlbookError, match="profile is 'fast'; expected 'quick' or 'paper'"):
            lesson("fast")


def test_piles_follow_their_seed_and_share_no_digit() -> None:
    lesson = classical_adaptation.leaning("quick")
    one, again, other = lesson.piles(0), lesson.piles(0), lesson.piles(1)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])
    assert one[0].shape == one[2].shape == (lesson.rows, 196)
    assert 2 * lesson.rows <= len(lesson.source)


def test_both_domains_hold_the_same_digits_changed() -> None:
    upright = classical_adaptation.leaning("quick")
    for lesson in (upright, classical_adaptation.unsharp("quick")):
        assert lesson.source.labels().tolist() == lesson.target.labels().tolist()
        assert (lesson.source.x != lesson.target.x).any()
    paper = classical_adaptation.leaning("paper")
    assert paper.draws > upright.draws
