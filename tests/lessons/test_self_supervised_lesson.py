"""What the chapter on self-supervision runs on."""

import pytest
import torch

from tlbook.errors import TlbookError
from tlbook.lessons import self_supervised


def test_an_unknown_profile_is_refused_by_its_name() -> None:
    with pytest.raises(TlbookError, match="profile is 'fast'; expected 'quick' or 'paper'"):
        self_supervised.images("fast")


def test_what_is_bought_follows_seed_and_draw_and_has_as_many_of_each_digit() -> None:
    lesson = self_supervised.images()
    few = lesson.bought(3, draw=1, seed=2)
    assert few.labels().bincount().tolist() == [3] * 10
    assert torch.equal(few.x, lesson.bought(3, draw=1, seed=2).x)
    assert not torch.equal(few.x, lesson.bought(3, draw=2, seed=2).x)


def test_the_network_takes_the_lessons_images_and_the_pool_has_no_label() -> None:
    lesson = self_supervised.images()
    assert lesson.pool.y is None
    assert lesson.features()(lesson.pool.x[:4]).shape == (4, 64)


def test_copies_are_changed_each_by_a_draw_of_its_own() -> None:
    lesson = self_supervised.images()
    one = lesson.bought(1, 0, 0)
    many = self_supervised.copies(one, self_supervised.changes(), seed=0)
    assert torch.equal(many.labels()[:10], many.labels()[10:20])
    assert len(many.x[::10].unique(dim=0)) > 90


def test_the_mark_changes_nothing_but_a_corner() -> None:
    test = self_supervised.images().test
    marked = self_supervised.stamped(test)
    assert torch.equal(marked.x[:, :, 2:], test.x[:, :, 2:])
    assert (marked.x[:, :, :2, :2] == 255).all()
