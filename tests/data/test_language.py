"""The made-up language: everybody is named twice, and the truth of who needs which word is right."""

import pytest
import torch

from tlbook.data.language import IDLE, PEOPLE, PLACES, WORDS, questions, tell
from tlbook.errors import TlbookError


def kind(token: float) -> str:
    word = WORDS[token]
    return "person" if word in PEOPLE else "place" if word in PLACES else "idle"


def test_whoever_is_named_again_is_still_there() -> None:
    told = tell(50, seed=0, length=20)
    assert told.domain.x.shape == (50, 20)
    assert told.domain.y is None
    for row in told.domain.x:
        where: dict[float, list[float]] = {}
        for t, token in enumerate(row.tolist()):
            if kind(token) == "person":
                where.setdefault(token, []).append(row[t + 1].item())
            if kind(token) == "place":
                assert kind(row[t - 1]) == "person"
        assert len(where) == 3
        assert all(len(places) == 2 and len(set(places)) == 1 for places in where.values())
        assert len({places[0] for places in where.values()}) == 3
        assert sum(kind(token) == "idle" for token in row) == 8


def test_the_true_edges_lead_from_the_place_to_the_second_mention() -> None:
    told = tell(50, seed=1, length=18)
    assert (told.edges.sum(dim=(1, 2)) == 3).all()
    for n, i, j in told.edges.nonzero().tolist():
        row = told.domain.x[n]
        assert i + 1 < j + 1 < 18
        assert kind(row[i]) == "place"
        assert kind(row[j]) == "person"
        assert row[i - 1] == row[j]
        assert row[i] == row[j + 1]


def test_a_question_ends_with_the_name_and_its_label_is_the_place() -> None:
    asked = questions(80, seed=2, length=16)
    assert asked.x.shape == (80, 16)
    assert asked.classes == PLACES
    for row, label in zip(asked.x, asked.labels().tolist(), strict=True):
        first = (row == row[-1]).nonzero()[0].item()
        assert first < 14
        assert WORDS[int(row[int(first) + 1])] == PLACES[label]
    assert len(asked.labels().unique()) == 8


def test_the_places_and_distances_vary_and_seeds_repeat() -> None:
    told, again, other = tell(200, seed=3), tell(200, seed=3), tell(200, seed=4)
    assert torch.equal(told.domain.x, again.domain.x)
    assert not torch.equal(told.domain.x, other.domain.x)
    _, i, j = told.edges.nonzero().T
    assert (j - i).unique().numel() > 10
    assert told.domain.x.unique().tolist() == list(range(1, 1 + len(PEOPLE + PLACES + IDLE)))


@pytest.mark.parametrize("how", [{"people": 0}, {"people": 9, "length": 99}, {"length": 11}, {"count": 0}])
def test_people_that_do_not_fit_are_refused(how: dict[str, int]) -> None:
    with pytest.raises(TlbookError, match=r"^count is [^\n]*; expected [^\n]*$"):
        tell(**({"count": 5, "seed": 0} | how))
