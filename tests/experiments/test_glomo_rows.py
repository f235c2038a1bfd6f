"""The recorded rows of GLoMo: four graphs, everything else alike, and what the graphs are worth on text."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tlbook import fit
from tlbook.data import Domain
from tlbook.experiments import find, glomo, names
from tlbook.experiments.glomo import LENGTH, Taught, measures
from tlbook.methods import Batch

KINDS = {"glomo-trec": "learned", "glomo-trec-none": "none"}
KINDS |= {"glomo-trec-uniform": "uniform", "glomo-trec-random": "random"}
ROWS = KINDS | {name.replace("trec", "trec-few"): kind for name, kind in KINDS.items()}


def rows(count: int, seed: int) -> Tensor:
    return torch.randint(1, 50, (count, LENGTH), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Domain:
    """Noise in the place of the text, few steps, a cache of our own; and questions."""
    classes = glomo.SENTENCES["trec"].classes
    learned, held = (Domain("text", rows(count, count), None, classes) for count in (40, 70))
    monkeypatch.setattr(glomo, "text", lambda: (None, learned, held))
    monkeypatch.setattr(glomo, "VOCABULARY", 50)
    monkeypatch.setattr(glomo, "GRAPH_STEPS", 4)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Domain("questions", rows(60, 1), torch.arange(60) % 6, classes)


def trained(kind: Any, questions: Domain, seed: int = 0, steps: int = 2) -> Taught:
    torch.manual_seed(seed)
    method = Taught(kind)
    fit(method, questions, steps=steps, batch_size=8, seed=seed, precision="fp32")
    return method


def test_a_row_is_a_graph_and_some_labels_and_differs_in_nothing_else() -> None:
    assert {name for name in names() if name.startswith("glomo-")} == set(ROWS)
    started = []
    for name, kind in ROWS.items():
        row = find(name)
        torch.manual_seed(0)
        method = row.method()
        assert isinstance(method, Taught)
        assert method.features.graph == kind
        assert method.features.learner.ahead.kind == ("learned" if kind == "random" else kind)
        assert row.domains is (glomo.few_questions if "few" in name else glomo.questions)
        started.append(method.state_dict())
        assert not method.features.learner.ahead.graph.b.any()
        assert not method.features.learner.back.graph.b.any()
        first = find("glomo-trec-few" if "few" in name else "glomo-trec")
        same = ("task", "protocol", "network", "training", "selection", "steps", "batch_size", "seeds", "schedule")
        assert all(getattr(row, key) == getattr(first, key) for key in same)
        assert str(row.optimizer) == str(first.optimizer)
        assert ("546 of 5,452" in row.protocol) == ("few" in name)
    assert all(torch.equal(state[key], value) for state in started for key, value in started[0].items())


def test_the_questions_are_the_official_ones_and_the_last_tenth_of_the_text_is_held_out(data_root: Path) -> None:
    train, learned, test = glomo.questions()
    few, also, _ = glomo.few_questions()
    vocabulary, first, held = glomo.text()
    assert (len(train), len(few), len(test)) == (5_452, 546, 500)
    assert len(vocabulary) == 4_000
    assert learned is also is first
    assert learned.y is None
    assert len(held) / (len(learned) + len(held)) == pytest.approx(0.1, abs=1e-3)
    assert 444_000 < (len(learned) + len(held)) * LENGTH < 446_000
    assert (held.x > 0).all(), "the rows of the text are full"
    whole = set(map(tuple, train.x.tolist()))
    assert whole.issuperset(map(tuple, few.x.tolist()))
    again = sum(tuple(row) in whole for row in test.x.tolist())
    unknown = (test.x == 1).sum() / (test.x > 0).sum()
    assert f"17 in 100 are unknown and of which {again} are" in find("glomo-trec").protocol
    assert round(100 * unknown.item()) == 17
    assert torch.equal(few.x, glomo.few_questions()[0].x)


def test_the_learner_of_a_seed_is_trained_once_before_the_task_and_shared(
    small: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[Tensor] = []
    real = glomo.GLoMo.graph_losses

    def counted(self: Any, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        taught.append(target.x)
        return real(self, source, target, progress)

    monkeypatch.setattr(glomo.GLoMo, "graph_losses", counted)
    torch.manual_seed(0)
    start = Taught("learned").features.learner.state_dict()
    learned, again, other = (
        trained(kind, small, seed) for kind, seed in (("learned", 0), ("random", 0), ("learned", 1))
    )
    assert len(taught) == 8, "twice four steps: two seeds"
    assert all(len(x) == 16 and not x.eq(small.x[0]).all(dim=1).any() for x in taught)
    first, second, third = (method.features.learner.state_dict() for method in (learned, again, other))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["ahead.graph.b"], start["ahead.graph.b"])
    assert not torch.equal(first["ahead.graph.to_keys.weight"], third["ahead.graph.to_keys.weight"])
    longer = trained("learned", small, steps=5).features.learner.state_dict()
    assert all(torch.equal(first[key], longer[key]) for key in first), "the task does not touch it"
    uniform = trained("uniform", small)
    assert len(taught) == 8, "the task needs no learner"
    measures(uniform)
    measures(trained("uniform", small))
    measures(learned)
    assert len(taught) == 12, "along another graph the text is another, and foretold once"


def test_all_kinds_see_the_same_questions_in_the_same_order(small: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[Tensor]] = {}
    real = Taught.losses

    def watched(self: Any, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        seen.setdefault(self.features.graph, []).append(source.x)
        seen[self.features.graph].append(torch.get_rng_state())  # of the dropout
        return real(self, source, target, progress)

    monkeypatch.setattr(Taught, "losses", watched)
    for kind in KINDS.values():
        trained(kind, small, steps=12)
    assert all(len(given) == 24 for given in seen.values())
    assert all(
        torch.equal(one, other) for given in seen.values() for one, other in zip(given, seen["none"], strict=True)
    )


def test_what_is_measured_on_the_held_out_text(small: Domain) -> None:
    found = {kind: measures(trained(kind, small)) for kind in ("learned", "uniform", "none")}
    even = sum(math.log(j) for j in range(1, LENGTH)) / (LENGTH - 1)
    assert found["none"]["edges"] == found["none"]["entropy"] == 0
    assert found["uniform"]["edges"] == pytest.approx(1)
    assert found["uniform"]["entropy"] == pytest.approx(even, rel=1e-5)
    assert 0 < found["learned"]["edges"] <= 1
    assert 0 < found["learned"]["entropy"] < even
    method = trained("learned", small)
    method.features.learner.eval()
    held = glomo.text()[2].x
    with torch.no_grad():
        whole = method.features.learner.losses(held)
    assert found["learned"]["nats"] == pytest.approx((whole["forward"] + whole["backward"]).item(), rel=1e-4)
    assert len({round(each["nats"], 3) for each in found.values()}) > 1
