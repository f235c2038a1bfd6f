"""Experiments are values; their results are files that can be believed, and that an interruption does not spoil."""

import ast
import inspect
import json
import re
import subprocess
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import torch
from typer.testing import CliRunner

from tlbook import evaluate, experiments, fit, nets
from tlbook.data import Domain, checksum
from tlbook.errors import TlbookError
from tlbook.experiments import (
    Experiment,
    PreTraining,
    Published,
    Record,
    Run,
    Training,
    adda,
    dann,
    find,
    names,
    read,
    records,
    reproduce,
    result,
    table,
)
from tlbook.experiments.experiment import accuracy, seeded
from tlbook.methods import DANN
from tlbook.methods.dann import mu_schedule

SCHEMA = json.loads(result.SCHEMA.read_text())
CHECK = jsonschema.Draft202012Validator(SCHEMA)
RECORDED = sorted((Path(__file__).resolve().parents[2] / "book" / "results").glob("*.json"))


def domains(seed: int = 0) -> tuple[Domain, Domain, Domain]:
    x = torch.randn(120, 4, generator=torch.Generator().manual_seed(0))
    y, classes = (x[:, 0] > 0).long(), ("left", "right")
    return (
        Domain("s", x[:40], y[:40], classes),
        Domain("t", x[40:80] + 0.5, None, classes),
        Domain("e", x[80:], y[80:], classes),
    )


def network(gamma: float = 10.0) -> DANN:
    return DANN(nets.mlp(4, 6), nets.mlp(6, 2), nets.mlp(6, 1), gamma=gamma)


def take_features(first: DANN, second: DANN) -> None:
    second.features.load_state_dict(first.features.state_dict())


PRETEXT = PreTraining("tiny", lambda seed: domains()[:2], seeded(network), Training(5, 8), take_features)
TINY = Experiment(
    name="tiny-rows",
    title="tiny",
    paper="Nobody, 2020",
    table="table 1, row 1",
    task="s → t",
    protocol="40 rows",
    network="one layer",
    selection="none",
    published=Published(0.5, "table 1", "primary"),
    domains=domains,
    method=seeded(network),
    training=Training(30, 8),
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An experiment of our own beside the real ones, and a cache of our own."""
    monkeypatch.setattr(dann, "TINY", TINY, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# the values


def test_every_experiment_is_described_completely() -> None:
    assert {"dann-mnist-mnistm", "dann-mnist-mnistm-source-only", "dann-mnist-mnistm-paper-schedule"} <= set(names())
    described = SCHEMA["properties"]["experiment"]
    for name in names():
        experiment = find(name)
        assert experiment.name == name
        assert experiment.seeds >= 3 or experiment.training is None
        values = experiment.described()
        assert set(described["required"]) == set(values) == set(described["properties"])
        jsonschema.validate(values, described)


def test_every_experiment_takes_a_seed_and_nothing_else() -> None:
    for experiment in map(find, set(names()) - {"tiny-rows"}):
        for part in (
            experiment.domains,
            experiment.method,
            *([experiment.before.domains] if experiment.before else []),
        ):
            parameters = inspect.signature(part).parameters.values()
            required = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
            assert required == ["seed"]


def test_methods_are_not_defined_among_experiments() -> None:
    for path in Path(dann.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        bases = {ast.unparse(b) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for b in node.bases}
        assert bases <= {"NamedTuple"}, path.name
        assert "initial_seed" not in path.read_text(encoding="utf-8")
        assert "__main__" not in path.read_text(encoding="utf-8")


def test_the_weights_come_from_the_seed_alone() -> None:
    build = find("adda-mnist-usps-source-only").method
    torch.manual_seed(3)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    one, again, other = build(0).state_dict(), build(0).state_dict(), build(1).state_dict()
    assert torch.equal(torch.rand(1), drawn)
    key = "label_head.fc1.weight"
    assert torch.equal(one[key], again[key])
    assert not torch.equal(one[key], other[key])
    torch.manual_seed(0)
    assert torch.equal(one[key], adda.source_network().state_dict()[key])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"training": Training(31, 8)}, "31 steps"),
        ({"training": Training(30, 9)}, "of 9 rows"),
        ({"training": Training(30, 8, partial(torch.optim.Adam, lr=0.02))}, "rate 0.02"),
        ({"training": Training(30, 8, partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.999)))}, "(0.5, 0.999)"),
        ({"training": Training(30, 8, partial(torch.optim.SGD, lr=1e-3, momentum=0.7))}, "SGD, momentum 0.7"),
        ({"training": Training(30, 8, schedule=mu_schedule)}, "(mu_schedule)"),
        ({"method": seeded(partial(network, gamma=3.0))}, "gamma = 3"),
        ({"before": PRETEXT}, "before, once for all rows of a seed that share it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "change",
)
def test_what_is_said_of_the_training_is_read_off_it(change: dict[str, Any], said: str) -> None:
    assert said in replace(TINY, **change).described()["training"]
    assert said not in TINY.described()["training"]


def test_phases_are_told_with_their_steps_and_rates() -> None:
    told = find("adda-mnist-usps").described()["training"]
    assert "(750 for source, 1,750 for adaptation at 0.2 times the rate)" in told


def test_no_two_experiments_have_one_name() -> None:
    everything = [value for value in vars(dann).values() if isinstance(value, Experiment)]
    assert max(Counter(e.name for e in everything).values()) == 1


def test_an_experiment_is_a_value_that_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        TINY.seeds = 4  # type: ignore[misc]
    assert replace(TINY, seeds=4).seeds == 4


@pytest.mark.parametrize(
    "name", ["dann-mnist-mnistm", "dann-mnist-mnistm-domain-norm", "dann-mnist-mnistm-paper-schedule"]
)
def test_the_papers_digit_network_takes_a_step(name: str) -> None:
    experiment = find(name)
    method = experiment.method(0)
    assert isinstance(method, DANN)
    assert [tuple(p.shape) for p in method.domain_head.parameters()] == [(100, 768), (100,), (1, 100), (1,)]
    assert [tuple(p.shape) for p in method.label_head.parameters() if p.dim() == 2] == [
        (100, 768),
        (100, 100),
        (10, 100),
    ]
    images = Domain("i", torch.zeros(8, 3, 28, 28, dtype=torch.uint8), torch.zeros(8).long(), tuple("0123456789"))
    history = fit(
        method,
        images,
        images,
        steps=1,
        batch_size=4,
        seed=0,
        optimizer=experiment.training.optimizer,
        schedule=experiment.training.schedule,
    )
    assert set(history.terms) == {"label", "domain"}


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(
        TlbookError, match=r"^no experiment is called 'dann-mnist-mnist'; nearest: dann-mnist-mnistm\b[^\n]*$"
    ):
        find("dann-mnist-mnist")
    with pytest.raises(TlbookError, match=r"^no experiment is called 'zzzz'; `tlbook results` lists them$"):
        reproduce("zzzz")


# the results


def test_recorded_results_keep_to_the_schema_and_belong_to_their_experiments() -> None:
    assert len(RECORDED) >= 53
    for path in RECORDED:
        content = json.loads(path.read_text(encoding="utf-8"))
        CHECK.validate(content)
        assert content["experiment"]["name"] == path.stem
        assert content["experiment"] == find(path.stem).described()
        assert [entry["seed"] for entry in content["seeds"]] == list(range(find(path.stem).seeds))
        accuracies = torch.tensor([entry["accuracy"] for entry in content["seeds"]], dtype=torch.float64)
        assert content["mean"] == pytest.approx(accuracies.mean().item(), abs=1e-6)
        if len(accuracies) > 1:
            assert content["sd"] == pytest.approx(accuracies.std().item(), abs=1e-6)


def test_a_result_has_what_one_needs_to_believe_it(tmp_path: Path) -> None:
    given = reproduce("tiny-rows", folder=tmp_path / "results", device="cpu", progress=False)
    CHECK.validate(given)
    assert given == read("tiny-rows", tmp_path / "results").content
    assert [entry["seed"] for entry in given["seeds"]] == [0, 1, 2]
    assert leftovers(tmp_path) == ["tiny-rows.json"]  # no checkpoint, no half

    source, target, test = domains()
    entry = given["seeds"][1]
    assert entry["checksums"] == {"source": checksum(source), "target": checksum(target), "test": checksum(test)}
    assert entry["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert {name: len(values) for name, values in entry["losses"].items()} == {"label": 30, "domain": 30}
    assert entry["steps_per_second"] == pytest.approx(30 / entry["seconds"], rel=1e-2)

    torch.manual_seed(1)  # what the entry says can be done by hand
    method = network()
    history = fit(method, source, target, steps=30, batch_size=8, seed=1, device="cpu")
    assert entry["accuracy"] == pytest.approx(evaluate.accuracy(method, test), abs=1e-6)
    assert entry["losses"]["domain"] == [round(v, 4) for v in history.terms["domain"]]
    assert len({str(e["losses"]) for e in given["seeds"]}) == 3

    accuracies = torch.tensor([e["accuracy"] for e in given["seeds"]], dtype=torch.float64)
    assert given["mean"] == pytest.approx(accuracies.mean().item(), abs=1e-6)
    assert given["sd"] == pytest.approx(accuracies.std().item(), abs=1e-6)


def test_one_seed_has_no_standard_deviation(tmp_path: Path) -> None:
    given = reproduce("tiny-rows", seeds=1, folder=tmp_path, progress=False)
    CHECK.validate(given)
    assert given["sd"] is None


def test_further_numbers_of_the_trained_method_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def size(run: Run) -> dict[str, float]:
        return accuracy(run) | {"norm": sum(p.norm().item() for p in run.method.parameters())}

    monkeypatch.setattr(dann, "TINY", replace(TINY, measures=size))
    given = reproduce("tiny-rows", seeds=1, folder=tmp_path / "results", progress=False)
    CHECK.validate(given)
    torch.manual_seed(0)
    method = network()
    source, target, test = domains()
    fit(method, source, target, steps=30, batch_size=8, seed=0)
    found = size(Run(0, method, source, target, test))
    assert given["seeds"][0]["measures"] == {"norm": pytest.approx(found["norm"], abs=1e-4)}
    assert given["seeds"][0]["accuracy"] == found["accuracy"] == experiments.run("tiny-rows")["accuracy"]


@pytest.mark.parametrize("change", [{"mean": 1.2}, {"seeds": []}, {"note": "x"}, {"sd": -0.1}])
def test_the_schema_refuses(change: dict[str, Any], tmp_path: Path) -> None:
    given = reproduce("tiny-rows", seeds=1, folder=tmp_path, progress=False)
    assert not CHECK.is_valid(given | change)


def test_long_curves_are_thinned_by_means() -> None:
    assert result._thinned([float(i) for i in range(1000)])[:2] == [4.5, 14.5]
    assert len(result._thinned([0.0] * 1000)) == 100
    assert result._thinned([3.0]) == [3.0]


class Runs:
    """Counts what is run, and interrupts one seed as Ctrl-C would, in the middle of its steps.

    In the optimizer of a library: in a method of ours the counter would be a part of what the method is.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: Counter[int] = Counter()
        self.interrupt: int | None = None
        real, step = result.fit, torch.optim.Adam.step
        seed = 0

        def counted(method: Any, *domains: Any, **how: Any) -> Any:
            nonlocal seed
            seed = how["seed"]
            return real(method, *domains, **how)

        def stepped(optimizer: torch.optim.Adam, *given: Any) -> Any:
            if seed == self.interrupt and self.steps[seed] == 20:
                raise KeyboardInterrupt
            self.steps[seed] += 1
            return step(optimizer, *given)

        monkeypatch.setattr(result, "fit", counted)
        monkeypatch.setattr(torch.optim.Adam, "step", stepped)


def test_an_interrupted_run_goes_on_and_repeats_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = reproduce("tiny-rows", folder=tmp_path / "whole", progress=False)

    runs = Runs(monkeypatch)
    runs.interrupt = 1
    with pytest.raises(KeyboardInterrupt):
        reproduce("tiny-rows", folder=tmp_path / "parts", progress=False)
    halfway = read("tiny-rows", tmp_path / "parts").content
    assert halfway is not None
    CHECK.validate(halfway)
    assert [entry["seed"] for entry in halfway["seeds"]] == [0]
    assert runs.steps == {0: 30, 1: 20}

    runs.interrupt = None
    given = reproduce("tiny-rows", folder=tmp_path / "parts", progress=False)
    assert runs.steps == {0: 30, 1: 30, 2: 30}  # seed 1 went on from its checkpoint, which 20 steps had just written
    for part, whole in zip(given["seeds"], expected["seeds"], strict=True):
        assert part["accuracy"] == whole["accuracy"]
        assert part["losses"] == whole["losses"]
    assert leftovers(tmp_path) == ["tiny-rows.json", "tiny-rows.json"]

    reproduce("tiny-rows", folder=tmp_path / "parts", progress=False)
    reproduce("tiny-rows", seeds=1, folder=tmp_path / "parts", progress=False)
    assert sum(runs.steps.values()) == 90
    more = reproduce("tiny-rows", seeds=4, folder=tmp_path / "parts", progress=False)
    assert len(more["seeds"]) == 4
    assert runs.steps[3] == 30


def test_a_seed_is_in_the_file_before_its_checkpoint_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    runs = Runs(monkeypatch)
    with monkeypatch.context() as now:
        now.setattr(result, "_write", die)
        with pytest.raises(KeyboardInterrupt):
            reproduce("tiny-rows", seeds=1, folder=tmp_path / "r", progress=False)
    reproduce("tiny-rows", seeds=1, folder=tmp_path / "r", progress=False)
    assert runs.steps == {0: 30}  # the finished training was read, not run again


@pytest.mark.parametrize("change", [{"training": Training(31, 8)}, {"title": "other"}, {"published": None}])
def test_a_changed_experiment_does_not_add_to_the_old_file(
    change: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reproduce("tiny-rows", seeds=1, folder=tmp_path, progress=False)
    before = (tmp_path / "tiny-rows.json").read_bytes()
    monkeypatch.setattr(dann, "TINY", replace(TINY, **change))
    with pytest.raises(
        TlbookError, match=rf"^[^\n]*another tiny-rows \({next(iter(change))} changed\)[^\n]*delete[^\n]*$"
    ):
        reproduce("tiny-rows", seeds=2, folder=tmp_path, progress=False)
    assert (tmp_path / "tiny-rows.json").read_bytes() == before


def test_the_file_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reproduce("tiny-rows", seeds=1, folder=tmp_path, progress=False)
    before = (tmp_path / "tiny-rows.json").read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(
        "os.replace", lambda half, path: full() if str(path).endswith("json") else Path(half).rename(path)
    )
    with pytest.raises(TlbookError, match=r"^cannot write .*tiny-rows\.json \(No space left on device\)[^\n]*$"):
        reproduce("tiny-rows", seeds=2, folder=tmp_path, progress=False)
    assert (tmp_path / "tiny-rows.json").read_bytes() == before
    assert [p.name for p in tmp_path.glob("*tiny*")] == ["tiny-rows.json"]


GOOD = {"experiment": {"name": "tiny-rows"}, "mean": 0.5, "sd": None, "seeds": [{"seed": 0, "accuracy": 0.5}]}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"seeds": []}',
        "null",
        "\xff",
        json.dumps(GOOD | {"seeds": []}),
        json.dumps(GOOD | {"mean": "much"}),
        json.dumps(GOOD | {"mean": 0.9}),
        json.dumps(GOOD | {"experiment": {"name": "other"}}),
        json.dumps(GOOD | {"seeds": GOOD["seeds"] * 2}),
        json.dumps(GOOD | {"seeds": [{"seed": 0}]}),
        json.dumps(GOOD | {"seeds": [{"seed": "a", "accuracy": 0.5}]}),
        json.dumps(GOOD | {"seeds": [{"seed": 0, "accuracy": 50}]}),
        json.dumps(GOOD | {"seeds": 3}),
    ],
)
def test_a_file_that_is_no_result_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "tiny-rows.json").write_text(content, encoding="latin-1")
    for call in (partial(read, "tiny-rows"), partial(reproduce, "tiny-rows")):
        with pytest.raises(TlbookError, match=r"^.*tiny-rows\.json cannot be read [^\n]*$"):
            call(folder=tmp_path)


def test_what_has_not_been_run_says_so(tmp_path: Path) -> None:
    record = read("tiny-rows", tmp_path)
    assert record == Record(TINY)
    assert (record.entries, record.complete, record.paper) == ([], False, 0.5)
    for number in (record.mean, record.sd, record.accuracies, record.measure("anything")):
        assert repr(number) == "not yet run: tiny-rows"


def test_numbers_of_a_record_that_lacks_seeds_are_missing(tmp_path: Path) -> None:
    reproduce("tiny-rows", seeds=2, folder=tmp_path, progress=False)
    record = read("tiny-rows", tmp_path)
    for number in (record.mean, record.sd, record.accuracies):
        assert repr(number) == "not yet run: tiny-rows, 2 of 3 seeds"
    reproduce("tiny-rows", folder=tmp_path, progress=False)
    record = read("tiny-rows", tmp_path)
    assert record.accuracies.mean() == pytest.approx(record.mean, abs=1e-6)
    with pytest.raises(TlbookError, match=r"^tiny-rows was recorded without 'nats'; expected one of: accuracy$"):
        record.measure("nats")


@pytest.mark.parametrize("call", [read, reproduce, find, experiments.run, lambda name: table([name])])
@pytest.mark.parametrize("name", ["tiny-row", "", "Tiny-Rows", "book/results/tiny-rows.json", 3])
def test_a_name_that_no_experiment_has_is_one_line_everywhere(call: Any, name: Any) -> None:
    with pytest.raises(
        TlbookError, match=r"^no experiment is called [^\n]*; (nearest: [^\n]+|`tlbook results` lists them)$"
    ):
        call(name)


def test_a_table_shows_each_row_beside_the_papers(tmp_path: Path) -> None:
    def text() -> str:
        return str(
            table(["tiny-rows"], "name", "task", "method", "steps", "accuracy", "seeds", "paper", folder=tmp_path)
        )

    assert re.search(r"tiny-rows +s → t +tiny +30 +not yet run +0\.5000", text())
    given = reproduce("tiny-rows", seeds=2, folder=tmp_path, progress=False)
    assert f"{given['mean']:.3f} ± {given['sd']:.3f}  2 of 3" in text()
    reproduce("tiny-rows", folder=tmp_path, progress=False)
    assert re.search(r"± 0\.\d+ +3 +0\.5", text())


def test_a_spread_is_that_of_accuracies_over_several_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def both(run: Run) -> dict[str, float]:
        return {"accuracy": run.seed / 4, "half": run.seed / 8}

    def text(*columns: str) -> str:
        return str(table(["tiny-rows"], *columns, folder=tmp_path)).splitlines()[-1]

    monkeypatch.setattr(dann, "TINY", replace(TINY, training=None, measures=both, seeds=5))
    reproduce("tiny-rows", seeds=1, folder=tmp_path, progress=False)
    assert text("accuracy", "seeds", "half").split() == ["0.000", "1", "of", "5", "0.000"]
    reproduce("tiny-rows", seeds=5, folder=tmp_path, progress=False)
    assert text("accuracy", "seeds", "half").split() == ["0.500", "±", "0.395", "5", "0.250"]
    assert text("paper", "steps", "minutes").split() == ["0.5000", "0.0"]
    published = Published(0.5, "table 1", "primary", {"half": 0.125})
    monkeypatch.setattr(dann, "TINY", replace(dann.TINY, published=published))  # type: ignore[attr-defined]
    assert text("paper: half", "paper: other", "name").split() == ["0.125", "tiny-rows"]
    monkeypatch.setattr(dann, "TINY", replace(TINY, training=None, measures=both, seeds=5, over="tasks"))
    (tmp_path / "tiny-rows.json").unlink()
    reproduce("tiny-rows", seeds=5, folder=tmp_path, progress=False)
    assert text("accuracy", "seeds").split() == ["0.500", "5", "tasks"]


def test_records_that_came_with_the_package_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed, elsewhere = tmp_path / "_results", tmp_path / "elsewhere"
    given = reproduce("tiny-rows", seeds=1, folder=installed, progress=False)
    monkeypatch.setattr(records, "INSTALLED", installed)
    monkeypatch.setattr(result, "INSTALLED", installed)
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert experiments.results_folder() == installed
    assert read("tiny-rows").content == given
    mine = reproduce("tiny-rows", seeds=2, progress=False)  # not into the package
    assert read("tiny-rows").content == mine
    assert leftovers(elsewhere) == ["tiny-rows.json"]
    (elsewhere / "book" / "results" / "tiny-rows.json").unlink()
    assert read("tiny-rows").content == given


@pytest.mark.parametrize("seeds", [0, -1, "a", 1.5, True])
def test_no_seeds_are_refused(seeds: Any, tmp_path: Path) -> None:
    with pytest.raises(TlbookError, match=rf"^seeds is {seeds!r}; expected a whole number, at least 1$"):
        reproduce("tiny-rows", seeds=seeds, folder=tmp_path)
    assert leftovers(tmp_path) == []


def test_chapters_and_commands_find_the_same_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "book").mkdir()
    monkeypatch.chdir(tmp_path)  # where one types the command
    written = reproduce("tiny-rows", seeds=1, progress=False)
    assert (tmp_path / "book" / "results" / "tiny-rows.json").exists()
    monkeypatch.chdir(tmp_path / "book")  # where a chapter runs
    assert experiments.read("tiny-rows").content == written


@pytest.mark.parametrize("failure", [FileNotFoundError("git"), subprocess.CalledProcessError(128, "git")])
def test_without_git_the_commit_is_unknown(failure: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_git(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(subprocess, "run", no_git)
    given = reproduce("tiny-rows", seeds=1, folder=tmp_path, progress=False)
    CHECK.validate(given)
    assert given["seeds"][0]["commit"] is None


def test_the_commit_says_whether_the_package_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package" / "experiments"
    package.mkdir(parents=True)
    monkeypatch.setattr(result, "__file__", str(package / "result.py"))
    git = ["git", "-c", "user.name=n", "-c", "user.email=e"]
    (package / "result.py").write_text("x = 1")
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "first"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    (tmp_path / "notebook").write_text("changed")  # beside the package, as results and chapters are
    clean = result._commit()
    assert clean is not None
    assert re.fullmatch("[0-9a-f]{12}", clean)
    (package / "result.py").write_text("x = 2")
    assert result._commit() == clean + "-dirty"


def test_the_commit_is_the_one_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(["before", "after"])
    monkeypatch.setattr(result, "_commit", lambda: next(now))
    given = reproduce("tiny-rows", seeds=1, folder=tmp_path, progress=False)
    assert given["seeds"][0]["commit"] == "before"


def edited_domains(seed: int) -> tuple[Domain, Domain, Domain]:
    source, target, test = domains()
    return replace(source, x=source.x + 0.1), target, test


def edited_measures(run: Run) -> dict[str, float]:
    return {"accuracy": 1 - accuracy(run)["accuracy"]}


EDITS = {
    "method": {"method": seeded(partial(network, gamma=5.0))},
    "head": {"method": seeded(lambda: DANN(nets.mlp(4, 6), nets.mlp(6, 2), nets.mlp(6, 3, 1)))},
    "domains": {"domains": edited_domains},
    "schedule": {"training": Training(30, 8, schedule=lambda p: 1 - p / 2)},
    "optimizer": {"training": Training(30, 8, partial(torch.optim.Adam, lr=2e-3))},
    "before": {"before": PRETEXT},
    "measures": {"measures": edited_measures},
}


@pytest.mark.parametrize("edit", EDITS)
def test_seeds_of_other_settings_or_code_are_not_mixed(
    edit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reproduce("tiny-rows", seeds=1, folder=tmp_path, progress=False)
    before = (tmp_path / "tiny-rows.json").read_bytes()
    monkeypatch.setattr(dann, "TINY", replace(TINY, **EDITS[edit]))
    with pytest.raises(TlbookError, match=r"^[^\n]*was written by another tiny-rows \([^\n]*delete[^\n]*$"):
        reproduce("tiny-rows", seeds=2, folder=tmp_path, progress=False)
    assert (tmp_path / "tiny-rows.json").read_bytes() == before


@pytest.mark.parametrize("edit", EDITS)
def test_an_interrupted_seed_does_not_go_on_after_an_edit(
    edit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(monkeypatch)
    runs.interrupt = 0
    with pytest.raises(KeyboardInterrupt):
        reproduce("tiny-rows", seeds=1, folder=tmp_path / "r", progress=False)
    runs.interrupt = None
    monkeypatch.setattr(dann, "TINY", replace(TINY, **EDITS[edit]))
    with pytest.raises(TlbookError, match=r"^[^\n]*tiny-rows-0-\w+\.pt is a seed of other [^\n]*delete[^\n]*$"):
        reproduce("tiny-rows", seeds=1, folder=tmp_path / "r", progress=False)


def test_a_record_from_before_codes_were_kept_can_grow(tmp_path: Path) -> None:
    old = reproduce("tiny-rows", seeds=1, folder=tmp_path, progress=False)
    del old["seeds"][0]["code"]
    CHECK.validate(old)
    (tmp_path / "tiny-rows.json").write_text(json.dumps(old))
    assert len(reproduce("tiny-rows", seeds=2, folder=tmp_path, progress=False)["seeds"]) == 2


def test_what_rows_begin_with_is_trained_once_for_a_seed_and_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def features(run: Run) -> dict[str, float]:
        return accuracy(run) | {"norm": run.method.features[0].weight.norm().item()}

    runs = Runs(monkeypatch)
    alone = replace(TINY, before=PRETEXT, measures=features, training=None)
    monkeypatch.setattr(dann, "TINY", alone)
    first = experiments.run("tiny-rows", 0)
    assert runs.steps == {0: 5}
    assert experiments.run("tiny-rows", 0) == first
    assert runs.steps == {0: 5}
    by_hand = seeded(network)(0)
    source, target, _ = domains()
    fit(by_hand, source, target, steps=5, batch_size=8, seed=0)
    assert first["norm"] == by_hand.features[0].weight.norm().item()
    monkeypatch.setattr(dann, "TINY", replace(alone, before=replace(PRETEXT, training=Training(6, 8))))
    assert experiments.run("tiny-rows", 0) != first
    experiments.run("tiny-rows", 1)
    assert runs.steps[1] == 6


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(monkeypatch)
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "locked")
    for folder in (tmp_path / "file", tmp_path / "file" / "inside", tmp_path / "locked"):
        with pytest.raises(TlbookError, match=r"^results cannot be written to [^\n]*$"):
            reproduce("tiny-rows", seeds=1, folder=folder, progress=False)
    assert not runs.steps


# the command


def test_the_command_writes_the_file_and_says_what_came_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tlbook.cli import app

    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["reproduce", "tiny-rows", "--seeds", "2", "--device", "cpu"])
    assert done.exit_code == 0, done.output
    given = read("tiny-rows").content
    assert given is not None
    assert f"{given['mean']:.4f} ± {given['sd']:.4f}" in done.output
    assert "0.5000" in done.output
    assert str(Path("book", "results", "tiny-rows.json")) in done.output


@pytest.mark.parametrize("arguments", [["reproduce", "dann-mnist"], ["reproduce", "tiny-rows", "--device", "gpu"]])
def test_the_command_fails_in_one_line(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tlbook import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["tlbook", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert isinstance(stop.value.code, str)  # which Python prints on standard error, ending with status 1
    assert stop.value.code.startswith("tlbook: ")
    assert "\n" not in stop.value.code
    assert capsys.readouterr().out == ""


def test_the_list_has_every_experiment_recorded_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tlbook.cli import app

    monkeypatch.chdir(tmp_path)
    reproduce("tiny-rows", seeds=2, folder=tmp_path / "book" / "results", progress=False)
    done = CliRunner().invoke(app, ["results"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert {line.split()[0] for line in lines[1:-1]} == set(names())
    assert re.search(r"^tiny-rows .* ± .* 2 of 3 +0\.5000$", done.output, re.MULTILINE)
    assert re.search(r"^dann-mnist-mnistm +not yet run +0\.7666$", done.output, re.MULTILINE)
    assert lines[-1].startswith(f"1 of {len(names())} experiments are recorded")


def test_interrupting_the_command_is_one_line_and_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tlbook import cli

    monkeypatch.chdir(tmp_path)
    runs = Runs(monkeypatch)
    runs.interrupt = 1
    monkeypatch.setattr("sys.argv", ["tlbook", "reproduce", "tiny-rows"])
    with pytest.raises(SystemExit, match=r"^tlbook: interrupted; 1 seeds are in [^\n]*tiny-rows\.json[^\n]*$"):
        cli.main()
    assert len(read("tiny-rows").entries) == 1


@pytest.mark.parametrize(("platform", "megabytes"), [("linux", 3000), ("darwin", 3)])
def test_memory_is_counted_in_the_units_of_the_system(
    platform: str, megabytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(ru_maxrss=3000 * 2**10)  # kilobytes on Linux, bytes on macOS
    monkeypatch.setattr(result.resource, "getrusage", lambda who: usage)
    monkeypatch.setattr(result.sys, "platform", platform)
    assert result._peak_memory_mb("cpu") == megabytes


@pytest.mark.parametrize("kind", [Experiment, PreTraining, Published, Training, Record])
def test_what_is_said_of_a_row_is_not_changed_afterwards(kind: type) -> None:
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
