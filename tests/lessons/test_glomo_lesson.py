"""What the chapter on GLoMo runs on."""

import torch

from tlbook.data.language import WORDS
from tlbook.lessons import glomo


def test_the_colour_asked_for_is_that_of_the_place_after_the_first_mention() -> None:
    questions = glomo.language(5).test
    painted = glomo.coloured(questions, seed=1)
    colour = painted.x // len(WORDS)
    assert torch.equal(painted.x % len(WORDS), questions.x)
    for row in range(50):
        words = questions.x[row].tolist()
        place = words.index(words[-1]) + 1
        assert WORDS[words[place]] == questions.classes[int(questions.labels()[row])]
        assert painted.labels()[row] == colour[row, place]


def test_what_is_drawn_for_learning_for_measuring_and_for_scoring_differs_and_follows_the_seed() -> None:
    lesson, again, other = glomo.language(3), glomo.language(3), glomo.language(4)
    assert torch.equal(lesson.text.x, again.text.x)
    assert not torch.equal(lesson.text.x, other.text.x)
    assert not torch.equal(lesson.text.x[:200], lesson.held.domain.x)
    assert not torch.equal(lesson.asked.x, lesson.test.x[:200])


def test_graphs_can_be_learned_and_each_direction_hears_its_own_side() -> None:
    lesson = glomo.language()
    learner = lesson.teach(0, steps=1)
    found = glomo.graphs(learner, lesson.held.domain.x)
    assert found.shape == (200, 2, 2, 1, 14, 14)
    assert not found[:, 0].tril().any()
    assert not found[:, 1].triu().any()
    assert not found.requires_grad
    random = glomo.graphs(learner, lesson.held.domain.x, "random")
    assert torch.allclose(random.sum(dim=-2), found.sum(dim=-2), atol=1e-5)


def test_shuffled_text_has_the_same_words() -> None:
    held = glomo.language().held.domain
    mixed = glomo.shuffled(held, 0)
    assert not torch.equal(mixed.x, held.x)
    assert torch.equal(mixed.x.sort(dim=1).values, held.x.sort(dim=1).values)
