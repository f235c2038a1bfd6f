"""What the chapter on the theory of transfer runs on."""

import numpy as np
import pytest
import torch

from tlbook import evaluate
from tlbook.errors import TlbookError
from tlbook.lessons import theory


def test_an_unknown_profile_is_refused_by_its_name() -> None:
    with pytest.raises(TlbookError, match="profile is 'fast'; expected 'quick' or 'paper'"):
        theory.places("fast")


def test_of_every_digit_it_is_asked_whether_it_is_odd() -> None:
    lesson = theory.places()
    assert len(lesson.names) == len(lesson.train) == len(lesson.tests)
    for domain in (*lesson.train, *lesson.tests):
        assert domain.classes == ("even", "odd")
        assert domain.labels().unique().tolist() == [0, 1]


def test_a_network_follows_its_seed_and_learns_its_place() -> None:
    lesson = theory.places()
    first, again, other = (lesson.network(1, seed) for seed in (0, 0, 1))
    x = lesson.tests[1].x[:9]
    logits = [evaluate.apply(network, x) for network in (first, again, other)]
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])
    assert evaluate.accuracy(first, lesson.tests[1]) > 0.9


def test_a_checkerboard_has_its_domains_on_opposite_fields() -> None:
    source, target = theory.checkerboard(seed=0, n=50)
    assert source.shape == target.shape == (50, 2)
    assert np.abs([source, target]).max() <= 1
    assert (source.prod(axis=1) > 0).all()
    assert (target.prod(axis=1) < 0).all()
    assert not np.array_equal(theory.checkerboard(seed=1, n=50)[0], source)
