"""Per-class averages, calibrated stacking, and the exact curve of what it trades."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score

from tlbook.errors import TlbookError
from tlbook.methods.zero_shot.generalised import calibrated_stacking, per_class, seen_unseen_curve

SEEN = np.array([True, False, True, True, False])


def problem(n: int = 90, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(5, n, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    return rng.normal(size=(n, 5)) + 1.5 * np.eye(5)[truth] + SEEN, truth


def test_every_class_weighs_the_same() -> None:
    scores, truth = problem()
    named = scores.argmax(axis=1)
    by_hand = np.mean([(named[truth == c] == c).mean() for c in range(5)])
    assert per_class(named, truth) == pytest.approx(by_hand)
    assert per_class(named, truth) == pytest.approx(balanced_accuracy_score(truth, named))
    assert per_class(named, truth) != pytest.approx((named == truth).mean())
    few = truth < 2  # names of classes that do not occur count as wrong, not as classes
    expected = np.mean([(named[truth == c] == c).mean() for c in range(2)])
    assert per_class(named[few], truth[few]) == pytest.approx(expected)


def test_only_seen_classes_pay() -> None:
    scores, _ = problem()
    paid = scores.copy()
    paid[:, SEEN] -= 0.7
    assert np.array_equal(calibrated_stacking(scores, SEEN, 0.7), paid.argmax(axis=1))
    assert np.array_equal(calibrated_stacking(scores, SEEN, 0.0), scores.argmax(axis=1))
    for large in (1e6, np.inf):
        for side, penalty in ((SEEN, -large), (~SEEN, large)):
            alone = np.flatnonzero(side)[scores[:, side].argmax(axis=1)]
            assert np.array_equal(calibrated_stacking(scores, SEEN, penalty), alone)
    paid[:, SEEN] += 1.9
    assert np.array_equal(calibrated_stacking(scores, SEEN, -1.2), paid.argmax(axis=1))


def test_what_is_not_a_number_is_refused() -> None:
    scores, truth = problem()
    with pytest.raises(TlbookError, match=r"^penalty is NaN; expected [^\n]*$"):
        calibrated_stacking(scores, SEEN, np.nan)
    scores[3, 1] = np.nan
    for call in (lambda: calibrated_stacking(scores, SEEN, 0.0), lambda: seen_unseen_curve(scores, truth, SEEN)):
        with pytest.raises(TlbookError, match=r"^scores cannot be used: [^\n]*NaN[^\n]*$"):
            call()


def test_the_curve_is_what_stacking_gives_at_each_penalty() -> None:
    scores, truth = problem()
    curve = seen_unseen_curve(scores, truth, SEEN)
    of_seen = SEEN[truth]
    for penalty, seen, unseen in zip(curve.penalties, curve.seen, curve.unseen, strict=True):
        named = calibrated_stacking(scores, SEEN, penalty)
        assert seen == pytest.approx(per_class(named[of_seen], truth[of_seen]))
        assert unseen == pytest.approx(per_class(named[~of_seen], truth[~of_seen]))
        if seen + unseen:
            assert curve.harmonic[list(curve.penalties).index(penalty)] == pytest.approx(
                2 * seen * unseen / (seen + unseen)
            )


def test_no_penalty_between_two_of_the_curve_gives_anything_else() -> None:
    scores, truth = problem(30)
    curve = seen_unseen_curve(scores, truth, SEEN)
    of_seen = SEEN[truth]
    points = set(zip(np.round(curve.seen, 9), np.round(curve.unseen, 9), strict=True))
    for penalty in np.linspace(-6, 6, 501):
        named = calibrated_stacking(scores, SEEN, penalty)
        point = (per_class(named[of_seen], truth[of_seen]), per_class(named[~of_seen], truth[~of_seen]))
        assert tuple(np.round(point, 9)) in points
    assert np.all(np.diff(curve.seen) <= 1e-12)
    assert np.all(np.diff(curve.unseen) >= -1e-12)


def test_area_and_best_penalty() -> None:
    scores, truth = problem()
    curve = seen_unseen_curve(scores, truth, SEEN)
    assert 0 < curve.area < 1
    by_hand = -np.sum(np.diff(curve.seen) * (curve.unseen[1:] + curve.unseen[:-1]) / 2)
    assert curve.area == pytest.approx(by_hand)
    assert curve.harmonic.max() == curve.harmonic[list(curve.penalties).index(curve.best)]
    assert curve.harmonic.max() > curve.harmonic[np.searchsorted(curve.penalties, 0)]
    assert seen_unseen_curve(scores + 9 * SEEN, truth, SEEN).best == pytest.approx(curve.best + 9)


def test_scores_that_are_all_equal_are_no_trouble() -> None:
    curve = seen_unseen_curve(np.zeros((4, 5)), np.arange(4), SEEN)
    assert np.isfinite([*curve.seen, *curve.unseen, *curve.harmonic, curve.area, curve.best]).all()


@pytest.mark.parametrize("seen", [np.ones(5, bool), np.zeros(5, bool), SEEN[:4]])
def test_some_classes_are_seen_and_some_are_not(seen: NDArray[np.bool_]) -> None:
    scores, truth = problem()
    for call in (lambda: calibrated_stacking(scores, seen, 0.0), lambda: seen_unseen_curve(scores, truth, seen)):
        with pytest.raises(TlbookError, match=r"^[^\n]*expected (some seen and some unseen|one mark a class)[^\n]*$"):
            call()


def test_a_curve_needs_examples_of_both_sides() -> None:
    scores, truth = problem()
    for some in (SEEN[truth], ~SEEN[truth]):
        with pytest.raises(TlbookError, match=r"^truth has shape [^\n]*expected examples of seen and of unseen[^\n]*$"):
            seen_unseen_curve(scores[some], truth[some], SEEN)
    with pytest.raises(TlbookError, match=r"^truth has shape \(3,\) for 90 rows"):
        seen_unseen_curve(scores, truth[:3], SEEN)


def test_an_average_needs_examples() -> None:
    for wrong in (([], []), ([1], [1, 2]), ([[1]], [[1]])):
        with pytest.raises(TlbookError, match=r"^predicted has shape [^\n]*expected N numbers each[^\n]*$"):
            per_class(*wrong)


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.uint8, np.int8])
def test_scores_of_any_type_are_compared_as_float64(kind: type[np.generic]) -> None:
    scores, truth = problem()
    short = (scores * 9 + 60).astype(kind)
    curve, exact = (seen_unseen_curve(s, truth, SEEN) for s in (short, short.astype(np.float64)))
    assert curve.penalties.dtype == np.float64
    for name in ("penalties", "seen", "unseen"):
        assert np.array_equal(getattr(curve, name), getattr(exact, name))
    for penalty in exact.penalties:
        one, other = (calibrated_stacking(s, SEEN, penalty) for s in (short, short.astype(np.float64)))
        assert np.array_equal(one, other)
