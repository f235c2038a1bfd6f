"""Choosing settings without the unseen classes: some of the seen ones play their part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from tlbook._arrays import Labels, Matrix
from tlbook.errors import TlbookError
from tlbook.methods.zero_shot.estimator import ZeroShot
from tlbook.methods.zero_shot.generalised import per_class

__all__ = ["Choice", "Fold", "choose"]


class Fold(NamedTuple):
    """A zero-shot problem: what is learned from, and classes that are held out.

    Attributes:
        x: N×D examples of the seen classes.
        y: N, rows of ``signatures``.
        signatures: C×A of the seen classes.
        held_x: M×D examples of the classes held out.
        held_y: M, rows of ``held_signatures``.
        held_signatures: K×A of the classes held out.
    """

    x: Matrix
    y: Labels
    signatures: Matrix
    held_x: Matrix
    held_y: Labels
    held_signatures: Matrix


@dataclass(frozen=True)
class Choice:
    """What a search found.

    Attributes:
        best: the candidate with the largest mean score, not fitted; the first of equals.
        scores: candidates × folds, per-class accuracies on the classes held out.
    """

    best: ZeroShot
    scores: Matrix


def choose(candidates: Sequence[ZeroShot], folds: Sequence[Fold]) -> Choice:
    """Try each candidate on each fold and return the best one, with every score.

    Args:
        candidates: methods with their settings; they are cloned, not fitted.
        folds: problems made from seen classes only.

    Raises:
        TlbookError: without candidates or folds.

    Example:
        >>> from tlbook.methods import ESZSL
        >>> seen = np.eye(2)
        >>> x = np.repeat(seen, 3, axis=0)
        >>> fold = Fold(x, np.repeat([0, 1], 3), seen, x, np.repeat([0, 1], 3), seen)
        >>> choose([ESZSL(gamma=1.0), ESZSL(gamma=9.0)], [fold]).scores.tolist()
        [[1.0], [1.0]]
    """
    if not candidates or not folds:
        raise TlbookError(f"{len(candidates)} candidates and {len(folds)} folds given; expected at least one of each")
    scores = np.array(
        [
            [
                per_class(clone(method).fit(f.x, f.y, f.signatures).predict(f.held_x, f.held_signatures), f.held_y)
                for f in folds
            ]
            for method in candidates
        ]
    )
    return Choice(candidates[int(scores.mean(axis=1).argmax())], scores)
