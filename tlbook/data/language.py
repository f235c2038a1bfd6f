"""A small made-up language in which it is known who has to listen to whom.

A sentence tells of some people where they are, with idle words in between: *ann mill oh bob garden ann mill …*.
Whoever is named again is still in the same place. Nobody can foretell the place from the name alone: one has to look
back to where it was said.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tlbook.data.domain import Domain
from tlbook.errors import TlbookError

__all__ = ["IDLE", "PEOPLE", "PLACES", "WORDS", "Told", "questions", "tell"]

PEOPLE = ("ann", "bob", "cat", "dan", "eve", "fay", "guy", "hal")
PLACES = ("mill", "garden", "river", "market", "tower", "harbour", "school", "forest")
IDLE = ("oh", "well", "so", "now", "and", "then")
WORDS = ("", *PEOPLE, *PLACES, *IDLE)
"""The word of each token; token 0 fills rows up, and this language never needs it."""


class Told(NamedTuple):
    """Sentences and the truth about them.

    Attributes:
        domain: N×T tokens, without labels.
        edges: N×T×T, true at [n, i, j] where position j has a name that was there before, and i the place that was
            said of it.
    """

    domain: Domain
    edges: Tensor


def tell(count: int, seed: int, length: int = 20, people: int = 3) -> Told:
    """Sentences in which everybody is named twice, each time with the place.

    Args:
        count: N.
        seed: of the draw.
        length: T, at least 4 for each of the people; the rest are idle words.
        people: how many there are in a sentence, 1 to 8.

    Raises:
        TlbookError: when the people do not fit.

    Example:
        >>> told = tell(1, seed=0, length=10, people=2)
        >>> " ".join(WORDS[token] for token in told.domain.x[0])
        'cat school so cat school eve river eve river well'
        >>> told.edges[0].nonzero().tolist()  # school, at 1, is what cat, at 3, needs
        [[1, 3], [6, 7]]
    """
    tokens, edges = _sentences(count, seed, length, people)
    return Told(Domain("told", tokens, None, PLACES), edges)


def questions(count: int, seed: int, length: int = 20, people: int = 3) -> Domain:
    """The same sentences, cut off after the last name: where is this person? The label is the place.

    Args:
        count: N.
        seed: of the draw.
        length: T, at least 4 for each of the people, less one.
        people: how many there are in a sentence, 1 to 8.

    Raises:
        TlbookError: when the people do not fit.

    Example:
        >>> asked = questions(1, seed=0, length=9, people=2)
        >>> " ".join(WORDS[token] for token in asked.x[0]), asked.classes[asked.y[0]]
        ('cat school so cat school eve river and eve', 'river')
    """
    tokens, _ = _sentences(count, seed, length + 1, people, to_the_end=True)
    return Domain("questions", tokens[:, :-1], tokens[:, -1] - 1 - len(PEOPLE), PLACES)


def _sentences(count: int, seed: int, length: int, people: int, to_the_end: bool = False) -> tuple[Tensor, Tensor]:
    if count < 1 or not 1 <= people <= len(PEOPLE) or length < 4 * people:
        raise TlbookError(
            f"count is {count}, length {length}, people {people}; expected at least one sentence, 1 to {len(PEOPLE)} "
            "people, and four words for each of them"
        )
    rng = np.random.default_rng(seed)
    tokens = np.empty((count, length), dtype=np.int64)
    edges = np.zeros((count, length, length), dtype=bool)
    gaps = 2 * people + (not to_the_end)
    for row in range(count):
        who = 1 + rng.permutation(len(PEOPLE))[:people]
        where = 1 + len(PEOPLE) + rng.permutation(len(PLACES))[:people]
        idle = np.bincount(rng.integers(gaps, size=length - 4 * people), minlength=gaps)
        tokens[row] = 1 + len(PEOPLE) + len(PLACES) + rng.integers(len(IDLE), size=length)
        said: dict[int, int] = {}
        at = 0
        for person, rest in zip(rng.permutation(np.repeat(np.arange(people), 2)).tolist(), idle, strict=False):
            at += rest
            tokens[row, at], tokens[row, at + 1] = who[person], where[person]
            if person in said:
                edges[row, said[person], at] = True
            said[person] = at + 1
            at += 2
    return torch.from_numpy(tokens), torch.from_numpy(edges)
