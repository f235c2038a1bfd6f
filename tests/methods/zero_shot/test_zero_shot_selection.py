"""The setting that is chosen is the one with the best recorded score, on classes that were held out."""

from __future__ import annotations

import numpy as np
import pytest

from tlbook.errors import TlbookError
from tlbook.methods import ESZSL
from tlbook.methods.zero_shot.selection import Fold, choose


def fold(seed: int) -> Fold:
    rng = np.random.default_rng(seed)
    s = rng.normal(size=(8, 5))
    reading = rng.normal(size=(5, 6))
    y, held_y = np.arange(60) % 6, np.arange(40) % 2
    x = s[y] @ reading + 3 * rng.normal(size=(60, 6))
    return Fold(x, y, s[:6], s[6:][held_y] @ reading + 3 * rng.normal(size=(40, 6)), held_y, s[6:])


def test_the_choice_is_the_argmax_of_the_scores_wherever_it_stands() -> None:
    folds = [fold(seed) for seed in range(3)]
    settings = [(gamma, alpha) for gamma in (1e-2, 1e0, 1e2, 1e4) for alpha in (1e-2, 1e0, 1e2)]
    found = choose([ESZSL(*pair) for pair in settings], folds)
    assert found.scores.shape == (12, 3)
    assert (found.best.gamma, found.best.alpha) == settings[int(np.argmax(found.scores.mean(axis=1)))]
    assert len(set(found.scores.mean(axis=1))) > 1
    for order in (slice(None, None, -1), np.random.default_rng(0).permutation(12)):
        again = choose([ESZSL(*pair) for pair in np.array(settings)[order]], folds)
        assert np.array_equal(again.scores, found.scores[order])
        best = again.best
        assert found.scores.mean(axis=1)[settings.index((best.gamma, best.alpha))] == found.scores.mean(axis=1).max()


def test_each_score_is_that_of_the_candidate_on_the_classes_held_out() -> None:
    f = fold(0)
    found = choose([ESZSL(1.0), ESZSL(100.0)], [f])
    for candidate, score in zip((ESZSL(1.0), ESZSL(100.0)), found.scores[:, 0], strict=True):
        named = candidate.fit(f.x, f.y, f.signatures).predict(f.held_x, f.held_signatures)
        assert score == pytest.approx(np.mean([(named[f.held_y == c] == c).mean() for c in (0, 1)]))
    assert not hasattr(found.best, "V_")


def test_nothing_to_choose_from_says_so() -> None:
    with pytest.raises(TlbookError, match=r"^0 candidates and 1 folds given; expected at least one of each$"):
        choose([], [fold(0)])
    with pytest.raises(TlbookError, match=r"^1 candidates and 0 folds given; expected at least one of each$"):
        choose([ESZSL()], [])
