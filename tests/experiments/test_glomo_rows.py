"""The recorded rows of GLoMo: four graphs, everything else alike, and what the graphs are worth on text."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tlbook import fit
from tlbook.data import Domain
from tlbook.experiments import Run, find, glomo, names
from tlbook.experiments.experiment import accuracy
from tlbook.experiments.glomo import LENGTH
from tlbook.experiments.result import pre_train
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


def ready(kind: Any, questions: Domain, seed: int = 0, steps: int = 2, taught: bool = True) -> Run:
    """A row with these questions, trained."""
    method = find(next(name for name, other in KINDS.items() if other == kind)).method(seed)
    if taught:
        pre_train(glomo.graphs_from_text(method.features.learner.ahead.kind), method, seed, progress=False)
    fit(method, questions, steps=steps, batch_size=8, seed=seed, precision="fp32")
    return Run(seed, method, questions, None, questions)


def test_a_row_is_a_graph_and_some_labels_and_differs_in_nothing_else() -> None:
    assert {name for name in names() if name.startswith("glomo-")} == set(ROWS)
    started = []
    for name, kind in ROWS.items():
        row = find(name)
        method = row.method(0)
        assert type(method) is glomo.GLoMo
        assert method.features.graph == kind
        assert method.features.learner.ahead.kind == ("learned" if kind == "random" else kind)
        assert row.domains is (glomo.few_questions if "few" in name else glomo.questions)
        assert (row.before is None) == (kind == "none" or name == "glomo-trec-few-uniform")
        started.append(method.state_dict())
        assert not method.features.learner.ahead.graph.b.any()
        assert not method.features.learner.back.graph.b.any()
        first = find("glomo-trec-few" if "few" in name else "glomo-trec")
        same = ("task", "protocol", "network", "selection", "seeds")
        assert all(getattr(row, key) == getattr(first, key) for key in same)
        assert row.training == first.training
        assert ("546 of 5,452" in row.protocol) == ("few" in name)
        assert (row.measures is glomo.on_text) == (name in ("glomo-trec", "glomo-trec-uniform"))
    assert all(torch.equal(state[key], value) for state in started for key, value in started[0].items())


def test_the_learner_and_the_classifier_have_the_settings_that_the_rows_state() -> None:
    for name in ROWS:
        method = find(name).method(0)
        learner = method.features.learner
        assert learner.ahead.graph.embedding.weight.shape == (4_000, 32)
        assert (learner.ahead.graph.layers, learner.ahead.graph.heads) == (2, 2)
        assert (learner.ahead.graph.positions, learner.context, learner.sampled) == (24, 3, 4)
        assert method.features.reader.embedding.weight.shape == (4_000, 64)
        [convolution] = [m for m in method.modules() if isinstance(m, nn.Conv1d) and m.out_channels == 100]
        assert (convolution.in_channels, convolution.kernel_size) == (64, (3,))
        assert [m.p for m in method.modules() if isinstance(m, nn.Dropout)] == [0.5]
        assert method.label_head.fc1.weight.shape == (6, 100)
    assert glomo.falling(0.25) == 0.75


def test_what_is_taught_begins_as_the_rows_own_learner() -> None:
    row = find("glomo-trec")
    assert row.before is not None
    own, taught = row.method(3).features.learner, row.before.method(3).features.learner
    assert all(torch.equal(own.state_dict()[key], value) for key, value in taught.state_dict().items())


def test_the_questions_are_the_official_ones_and_the_last_tenth_of_the_text_is_held_out(data_root: Path) -> None:
    train, learned, test = glomo.questions(0)
    few, also, _ = glomo.few_questions(0)
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
    assert torch.equal(few.x, glomo.few_questions(1)[0].x)


def test_the_learner_of_a_seed_is_trained_once_before_the_task_and_shared(small: Domain, tmp_path: Path) -> None:
    start = find("glomo-trec").method(0).features.learner.state_dict()
    runs = [ready(kind, small, seed) for kind, seed in (("learned", 0), ("random", 0), ("learned", 1))]
    assert len(list(tmp_path.rglob("glomo-learned-*.pt"))) == 2, "two seeds"
    first, second, third = (run.method.features.learner.state_dict() for run in runs)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["ahead.graph.b"], start["ahead.graph.b"])
    assert not torch.equal(first["ahead.graph.to_keys.weight"], third["ahead.graph.to_keys.weight"])
    longer = ready("learned", small, steps=5).method.features.learner.state_dict()
    assert all(torch.equal(first[key], longer[key]) for key in first), "the task does not touch it"
    ready("uniform", small)
    assert len(list(tmp_path.rglob("glomo-uniform-*.pt"))) == 1, "along another graph the text is another"


def test_all_kinds_see_the_same_questions_in_the_same_order(small: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[Tensor]] = {}
    real = glomo.GLoMo.losses

    def watched(self: Any, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        seen.setdefault(self.features.graph, []).append(source.x)
        seen[self.features.graph].append(torch.get_rng_state())  # of the dropout
        return real(self, source, target, progress)

    monkeypatch.setattr(glomo.GLoMo, "losses", watched)
    for kind in KINDS.values():
        ready(kind, small, steps=12, taught=False)
    assert all(len(given) == 24 for given in seen.values())
    assert all(
        torch.equal(one, other) for given in seen.values() for one, other in zip(given, seen["none"], strict=True)
    )


def test_what_is_measured_on_the_held_out_text(small: Domain) -> None:
    found = {kind: glomo.on_text(ready(kind, small)) for kind in ("learned", "uniform", "none")}
    even = sum(math.log(j) for j in range(1, LENGTH)) / (LENGTH - 1)
    assert found["none"]["edges"] == found["none"]["entropy"] == 0
    assert found["uniform"]["edges"] == pytest.approx(1)
    assert found["uniform"]["entropy"] == pytest.approx(even, rel=1e-5)
    assert 0 < found["learned"]["edges"] <= 1
    assert 0 < found["learned"]["entropy"] < even
    run = ready("learned", small)
    assert found["learned"]["accuracy"] == accuracy(run)["accuracy"]
    run.method.features.learner.eval()
    held = glomo.text()[2].x
    with torch.no_grad():
        whole = run.method.features.learner.losses(held)
    assert found["learned"]["nats"] == pytest.approx((whole["forward"] + whole["backward"]).item(), rel=1e-4)
    assert len({round(each["nats"], 3) for each in found.values()}) > 1
