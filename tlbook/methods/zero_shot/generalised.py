"""Seen and unseen classes at once: calibrated stacking, and what it trades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import auc, recall_score

from tlbook._arrays import Labels, Matrix, as_array, as_matrix
from tlbook.errors import TlbookError

__all__ = ["SeenUnseenCurve", "calibrated_stacking", "per_class", "seen_unseen_curve"]


def per_class(predicted: ArrayLike, truth: ArrayLike) -> float:
    """The mean over the classes of the share of their examples that are named right, 0 … 1.

    A class with many examples weighs no more than one with few, as the tables of zero-shot learning have it.

    Args:
        predicted: N class numbers.
        truth: N class numbers; the mean is over those that occur here.

    Raises:
        TlbookError: when there are no examples, or not as many in both.

    Example:
        >>> per_class([0, 0, 0, 0], [0, 0, 0, 1])
        0.5
    """
    p, t = np.asarray(predicted), np.asarray(truth)
    if p.shape != t.shape or p.ndim != 1 or not len(t):
        raise TlbookError(f"predicted has shape {p.shape}, truth {t.shape}; expected N numbers each, N at least 1")
    return float(recall_score(t, p, labels=np.unique(t), average="macro"))


def calibrated_stacking(scores: Matrix, seen: ArrayLike, penalty: float) -> Labels:
    """Calibrated stacking (Chao, Changpinyo, Gong and Sha, ECCV 2016): seen classes pay a penalty.

    Args:
        scores: N×C, higher is better, of seen and unseen classes.
        seen: C, whether a class was seen in training.
        penalty: what is taken from the scores of seen classes; 0 is plain stacking, the largest score wins, and
            infinity leaves the unseen classes alone, minus infinity the seen ones.

    Returns:
        N class numbers 0 … C−1.

    Raises:
        TlbookError: when no class is seen or none is unseen, the shapes do not fit, or a number is not one.

    Example:
        >>> scores = np.array([[0.9, 0.8], [0.9, 0.2]])
        >>> [calibrated_stacking(scores, [True, False], penalty).tolist() for penalty in (0.0, 0.3)]
        [[0, 0], [1, 0]]
    """
    scores, known = _checked(scores, seen)
    if np.isnan(penalty):
        raise TlbookError("penalty is NaN; expected a number, or plus or minus infinity")
    # a negative penalty is paid by the unseen classes, so that plus and minus infinity leave numbers to compare
    best: Labels = np.where(known, scores - max(penalty, 0), scores + min(penalty, 0)).argmax(axis=1)
    return best


@dataclass(frozen=True)
class SeenUnseenCurve:
    """What every penalty of calibrated stacking buys, from all seen to all unseen.

    Attributes:
        penalties: K, ascending, one in each interval in which nothing changes.
        seen: K, the per-class accuracy on examples of seen classes, among all classes.
        unseen: K, the same of unseen classes.
    """

    penalties: Matrix
    seen: Matrix
    unseen: Matrix

    @property
    def area(self) -> float:
        """The area under the curve of ``unseen`` over ``seen``, 0 … 1; AUSUC in the paper."""
        return float(auc(self.seen, self.unseen))

    @property
    def harmonic(self) -> Matrix:
        """K harmonic means of ``seen`` and ``unseen``; 0 where both are 0."""
        total = self.seen + self.unseen
        mean: Matrix = 2 * self.seen * self.unseen / np.where(total > 0, total, 1)
        return mean

    @property
    def best(self) -> float:
        """The penalty with the largest harmonic mean. Found on test data it is an oracle; find it on other classes."""
        return float(self.penalties[self.harmonic.argmax()])


def seen_unseen_curve(scores: Matrix, truth: ArrayLike, seen: ArrayLike) -> SeenUnseenCurve:
    """The accuracies on seen and unseen classes for every penalty, exactly.

    Args:
        scores: N×C, higher is better.
        truth: N class numbers 0 … C−1, with examples of seen and of unseen classes.
        seen: C, whether a class was seen in training.

    Raises:
        TlbookError: as :func:`calibrated_stacking`; and when the truth has no example of a seen, or of an unseen class.

    Example:
        >>> scores = np.array([[0.9, 0.8], [0.9, 0.2]])
        >>> curve = seen_unseen_curve(scores, [1, 0], [True, False])
        >>> curve.seen.tolist(), curve.unseen.tolist(), curve.area
        ([1.0, 1.0, 0.0], [0.0, 1.0, 1.0], 1.0)
    """
    scores, known = _checked(scores, seen)
    t = np.asarray(as_array(truth))
    if t.shape != scores.shape[:1] or not known[t].any() or known[t].all():
        raise TlbookError(
            f"truth has shape {t.shape} for {len(scores)} rows, {int(known[t].sum())} of them of seen classes; "
            "expected examples of seen and of unseen classes"
        )
    best_seen = np.where(known, scores, -np.inf).argmax(axis=1)
    best_unseen = np.where(known, -np.inf, scores).argmax(axis=1)
    rows = np.arange(len(scores))
    margin = scores[rows, best_seen] - scores[rows, best_unseen]  # a row goes to the unseen when the penalty is larger
    cuts = np.unique(margin)
    penalties = np.concatenate([[cuts[0] - 1], (cuts[1:] + cuts[:-1]) / 2, [cuts[-1] + 1]])
    weight = 1 / np.bincount(t, minlength=len(known))[t]  # so that each class counts as one
    crossed = np.searchsorted(cuts, margin) + 1  # the first penalty that sends the row to the unseen
    gained = np.bincount(crossed, weight * (best_unseen == t), len(penalties)).cumsum()
    lost = np.bincount(crossed, weight * (best_seen == t), len(penalties)).cumsum()
    of_seen, of_unseen = len(np.unique(t[known[t]])), len(np.unique(t[~known[t]]))
    kept = (weight * (best_seen == t)).sum() - lost
    return SeenUnseenCurve(penalties, kept.clip(0) / of_seen, gained / of_unseen)


def _checked(scores: Any, seen: ArrayLike) -> tuple[Matrix, NDArray[np.bool_]]:
    """The scores in float64, in which a difference neither wraps nor rounds, and which classes are seen."""
    scores = as_matrix("scores", scores)
    known = np.asarray(as_array(seen), dtype=bool)
    if known.shape != scores.shape[1:]:
        raise TlbookError(f"seen has shape {known.shape} for scores of {scores.shape}; expected one mark a class")
    if known.all() or not known.any():
        raise TlbookError(
            f"{int(known.sum())} of {len(known)} classes are seen; expected some seen and some unseen: with no unseen "
            "class this is ordinary classification, with no seen one leave the penalty out"
        )
    return scores, known
