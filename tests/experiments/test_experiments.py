"""Experiments are values; their results are files that can be believed, and that an interruption does not spoil."""

import json
import re
import subprocess
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from typer.testing import CliRunner

from tlbook import evaluate, experiments, fit, nets
from tlbook.data import Domain, checksum
from tlbook.errors import TlbookError
from tlbook.experiments import Experiment, Published, dann, find, names, read, reproduce, result
from tlbook.methods import DANN, PADA, SAN
from tlbook.methods.dann import mu_schedule

SCHEMA = json.loads(result.SCHEMA.read_text())
CHECK = jsonschema.Draft202012Validator(SCHEMA)
RECORDED = sorted((Path(__file__).resolve().parents[2] / "book" / "results").glob("*.json"))


def domains() -> tuple[Domain, Domain, Domain]:
    x = torch.randn(120, 4, generator=torch.Generator().manual_seed(0))
    y, classes = (x[:, 0] > 0).long(), ("left", "right")
    return (
        Domain("s", x[:40], y[:40], classes),
        Domain("t", x[40:80] + 0.5, None, classes),
        Domain("e", x[80:], y[80:], classes),
    )


def network() -> DANN:
    return DANN(nets.mlp(4, 6), nets.mlp(6, 2), nets.mlp(6, 1))


TINY = Experiment(
    name="tiny-rows",
    title="tiny",
    paper="Nobody, 2020",
    table="table 1, row 1",
    task="s → t",
    protocol="40 rows",
    network="one layer",
    training="Adam, 30 steps",
    selection="none",
    published=Published(0.5, "table 1", "primary"),
    domains=domains,
    method=network,
    steps=30,
    batch_size=8,
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
    assert set(described["required"]) == {*result.DESCRIBED, "published"} == set(described["properties"])
    for name in names():
        experiment = find(name)
        assert experiment.name == name
        assert experiment.seeds >= 3
        values = {key: getattr(experiment, key) for key in result.DESCRIBED}
        values["published"] = vars(experiment.published) if experiment.published else None
        jsonschema.validate(values, described)


def test_what_is_said_of_the_training_is_what_is_done() -> None:
    for experiment in map(find, set(names()) - {"tiny-rows"}):
        optimizer = experiment.optimizer([torch.nn.Parameter(torch.zeros(1))])
        assert experiment.training.startswith(type(optimizer).__name__)
        assert f"{experiment.steps:,} steps of {experiment.batch_size} " in experiment.training
        for name, shown in {"lr": ("1e-3", "2e-3", "3e-3", "0.01"), "momentum": ("0.9",)}.items():
            if value := optimizer.defaults.get(name):
                assert any(float(words) == value and words in experiment.training for words in shown)
        if experiment.schedule is mu_schedule:
            assert "μ_p" in experiment.training
        method = experiment.method()
        assert isinstance(method, DANN | PADA | SAN) == ("λ_p" in experiment.training)
        gamma = getattr(method, "gamma", 10)
        assert gamma == (0 if "γ = 0" in experiment.training else 10)


def test_no_two_experiments_have_one_name() -> None:
    everything = [value for value in vars(dann).values() if isinstance(value, Experiment)]
    assert max(Counter(e.name for e in everything).values()) == 1


def test_an_experiment_is_a_value_that_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        TINY.steps = 3  # type: ignore[misc]
    assert replace(TINY, steps=3).steps == 3


@pytest.mark.parametrize(
    "name", ["dann-mnist-mnistm", "dann-mnist-mnistm-domain-norm", "dann-mnist-mnistm-paper-schedule"]
)
def test_the_papers_digit_network_takes_a_step(name: str) -> None:
    experiment = find(name)
    method = experiment.method()
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
        optimizer=experiment.optimizer,
        schedule=experiment.schedule,
    )
    assert set(history.terms) == {"label", "domain"}


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(
        TlbookError, match=r"^no experiment is called 'dann-mnist-mnist'; nearest: dann-mnist-mnistm\b[^\n]*$"
    ):
        find("dann-mnist-mnist")
    with pytest.raises(TlbookError, match=r"nearest: .*tiny-rows"):
        reproduce("zzzz")


# the results


def test_recorded_results_keep_to_the_schema() -> None:
    for path in RECORDED:
        content = json.loads(path.read_text(encoding="utf-8"))
        CHECK.validate(content)
        assert content["experiment"]["name"] == path.stem
        assert path.stem in names()
        accuracies = torch.tensor([entry["accuracy"] for entry in content["seeds"]], dtype=torch.float64)
        assert content["mean"] == pytest.approx(accuracies.mean().item(), abs=1e-6)
        if len(accuracies) > 1:
            assert content["sd"] == pytest.approx(accuracies.std().item(), abs=1e-6)


def test_a_result_has_what_one_needs_to_believe_it(tmp_path: Path) -> None:
    given = reproduce("tiny-rows", folder=tmp_path / "results", device="cpu", progress=False)
    CHECK.validate(given)
    assert given == read("tiny-rows", tmp_path / "results")
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
    def size(method: DANN) -> dict[str, float]:
        return {"norm": sum(p.norm().item() for p in method.parameters())}

    monkeypatch.setattr(dann, "TINY", replace(TINY, measures=size))
    given = reproduce("tiny-rows", seeds=1, folder=tmp_path / "results", progress=False)
    CHECK.validate(given)
    torch.manual_seed(0)
    method = network()
    source, target, _ = domains()
    fit(method, source, target, steps=30, batch_size=8, seed=0)
    assert given["seeds"][0]["measures"] == {"norm": pytest.approx(size(method)["norm"], abs=1e-4)}


@pytest.mark.parametrize("change", [{"mean": 1.2}, {"seeds": []}, {"note": "x"}, {"sd": -0.1}])
def test_the_schema_refuses(change: dict[str, Any], tmp_path: Path) -> None:
    given = reproduce("tiny-rows", seeds=1, folder=tmp_path, progress=False)
    assert not CHECK.is_valid(given | change)


def test_long_curves_are_thinned_by_means() -> None:
    assert result._thinned([float(i) for i in range(1000)])[:2] == [4.5, 14.5]
    assert len(result._thinned([0.0] * 1000)) == 100
    assert result._thinned([3.0]) == [3.0]


class Runs:
    """Counts what is run, and interrupts one seed as Ctrl-C would, in the middle of its steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: Counter[int] = Counter()
        self.interrupt: int | None = None
        real, backward = result.fit, torch.autograd.backward
        seed = 0

        def counted(method: Any, *domains: Any, **how: Any) -> Any:
            nonlocal seed
            seed = how["seed"]
            return real(method, *domains, **how)

        def stepped(*terms: Any, **how: Any) -> None:
            if seed == self.interrupt and self.steps[seed] == 20:
                raise KeyboardInterrupt
            self.steps[seed] += 1
            backward(*terms, **how)

        monkeypatch.setattr(result, "fit", counted)
        monkeypatch.setattr(torch.autograd, "backward", stepped)  # not the method: its code belongs to the run


def test_an_interrupted_run_goes_on_and_repeats_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = reproduce("tiny-rows", folder=tmp_path / "whole", progress=False)

    runs = Runs(monkeypatch)
    runs.interrupt = 1
    with pytest.raises(KeyboardInterrupt):
        reproduce("tiny-rows", folder=tmp_path / "parts", progress=False)
    halfway = read("tiny-rows", tmp_path / "parts")
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


@pytest.mark.parametrize("change", [{"steps": 31}, {"title": "other"}, {"published": None}])
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


@pytest.mark.parametrize("content", ["", "{", "[]", '{"seeds": []}', "null"])
def test_a_file_that_is_no_result_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "tiny-rows.json").write_text(content)
    for call in (partial(read, "tiny-rows"), partial(reproduce, "tiny-rows")):
        with pytest.raises(TlbookError, match=r"^.*tiny-rows\.json cannot be read [^\n]*$"):
            call(folder=tmp_path)


def test_what_has_not_been_run_is_none(tmp_path: Path) -> None:
    assert read("tiny-rows", tmp_path) is None


@pytest.mark.parametrize("seeds", [0, -1])
def test_no_seeds_are_refused(seeds: int, tmp_path: Path) -> None:
    with pytest.raises(TlbookError, match=rf"^seeds is {seeds}; expected at least 1$"):
        reproduce("tiny-rows", seeds=seeds, folder=tmp_path)
    assert leftovers(tmp_path) == []


def test_chapters_and_commands_find_the_same_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "book").mkdir()
    monkeypatch.chdir(tmp_path)  # where one types the command
    written = reproduce("tiny-rows", seeds=1, progress=False)
    assert (tmp_path / "book" / "results" / "tiny-rows.json").exists()
    monkeypatch.chdir(tmp_path / "book")  # where a chapter runs
    assert experiments.read("tiny-rows") == written


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


# the command


def test_the_command_writes_the_file_and_says_what_came_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tlbook.cli import app

    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["reproduce", "tiny-rows", "--seeds", "2", "--device", "cpu"])
    assert done.exit_code == 0, done.output
    given = read("tiny-rows")
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
