"""The recorded zero-shot table is complete, and no image of a class held out has a say in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from tlbook import experiments
from tlbook.data import xlsa17
from tlbook.data.catalogue import SOURCES
from tlbook.errors import TlbookError
from tlbook.evaluate import harmonic_mean
from tlbook.experiments import zero_shot as table
from tlbook.methods.zero_shot import problem

RESULTS = Path(__file__).resolve().parents[2] / "book" / "results" / "tables"


def test_the_record_is_complete_and_far_above_chance() -> None:
    content = experiments.read_table("zero-shot-digits", RESULTS)
    assert content is not None
    assert list(content["datasets"]) == list(table.DATASETS)
    assert content["held_out"] == problem.draws()
    assert content["protocol"] == table.DIGITS_PROTOCOL
    for name, rows in content["datasets"].items():
        assert list(rows) == list(problem.METHODS)
        for row in rows.values():
            assert all(len(values) == 10 for values in row["draws"].values())
            for key, values in row["draws"].items():
                assert row["mean"][key] == pytest.approx(np.mean(values), abs=1e-4)
                assert row["sd"][key] == pytest.approx(np.std(values, ddof=1), abs=1e-4)
            for kind in ("", ", calibrated"):
                halves = zip(row["draws"][f"seen{kind}"], row["draws"][f"unseen{kind}"], strict=True)
                expected = [harmonic_mean(seen, unseen) for seen, unseen in halves]
                assert row["draws"][f"harmonic{kind}"] == pytest.approx(expected, abs=2e-4)
            assert row["mean"]["unseen alone"] > content["chance"]["unseen alone"] + 0.15
        for split in ("train", "test"):
            assert content["checksums"][f"{name} {split}"] == SOURCES[name].checksums[split]


def test_recording_runs_every_row(tmp_path: Path, monkeypatch: Any) -> None:
    settings = {row: s._replace(candidates=s.candidates[-1:]) for row, s in problem.METHODS.items()}
    monkeypatch.setattr(table, "METHODS", settings)
    monkeypatch.setattr(problem, "METHODS", settings)
    monkeypatch.setattr(table, "EXAMPLES", 20)
    content = table.record_digits(tmp_path, datasets=("digits",), count=1)
    assert experiments.read_table("zero-shot-benchmarks", tmp_path) is None
    assert experiments.read_table("zero-shot-digits", tmp_path) == content
    assert list(content["datasets"]["digits"]) == list(problem.METHODS)
    assert content["held_out"] == problem.draws(1)


# the standard benchmarks, on small files of their layout


@pytest.fixture
def benchmark_root(tmp_path: Path, monkeypatch: Any) -> Path:
    """AwA2 in small: 12 classes, 6 attributes of which one does not vary among the seen, 240 images."""
    rng = np.random.default_rng(0)
    monkeypatch.setitem(xlsa17.BENCHMARKS, "AWA2", (12, 6))
    attributes = rng.choice([-1.0, 1.0], size=(12, 6))
    attributes[9:, :3] = 1 - 2 * np.eye(3)
    attributes[:, 5] = np.where(np.arange(12) < 9, 0.5, 0.6)
    y = np.repeat(np.arange(12), 20)
    x = attributes[y] @ rng.normal(size=(6, 40)) + 0.3 * rng.normal(size=(240, 40))
    names = np.empty((12, 1), object)
    names[:, 0] = [f"animal {i}" for i in range(12)]
    at = np.arange(240)
    test_seen = (y < 9) & (at % 4 == 0)
    parts = {
        "train_loc": (y < 6) & ~test_seen,
        "val_loc": (y >= 6) & (y < 9) & ~test_seen,
        "trainval_loc": (y < 9) & ~test_seen,
        "test_seen_loc": test_seen,
        "test_unseen_loc": y >= 9,
    }
    locations = {key: np.flatnonzero(rows)[:, None] + 1 for key, rows in parts.items()}
    folder = tmp_path / "xlsa17" / "data" / "AWA2"
    folder.mkdir(parents=True)
    savemat(folder / "att_splits.mat", {"allclasses_names": names, "att": attributes.T} | locations)
    savemat(folder / "res101.mat", {"features": x.T, "labels": y[:, None] + 1})
    return tmp_path


def test_with_the_features_one_call_gives_the_rows_of_a_benchmark(benchmark_root: Path) -> None:
    rows = table.benchmark("AWA2", benchmark_root, decades=(0.01, 1.0, 100.0))
    assert list(rows) == ["ESZSL", "DAP"]
    for row in rows.values():
        assert row["harmonic"] == pytest.approx(harmonic_mean(row["seen"], row["unseen"]), abs=1e-3)
    eszsl = rows["ESZSL"]
    assert eszsl["unseen alone"] > 0.8
    settings = [(gamma, alpha) for gamma in (0.01, 1.0, 100.0) for alpha in (0.01, 1.0, 100.0)]
    assert settings[int(np.argmax(eszsl["search"]))] == (eszsl["gamma"], eszsl["alpha"])


def test_the_table_has_what_is_there_and_says_what_the_rest_needs(
    benchmark_root: Path, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr(table.benchmark, "__defaults__", (None, (1.0,)))
    content = table.record_benchmarks(tmp_path / "out", benchmark_root)
    assert list(content["rows"]) == ["AWA2"]
    assert content["published"] == table.PUBLISHED
    assert experiments.read_table("zero-shot-benchmarks", tmp_path / "out") == content
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["APY", "CUB", "SUN"]
    assert all("expected" in line and "unpack" in line for line in lines)


def test_with_nothing_there_it_says_so_in_one_line(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TLBOOK_DATA", str(tmp_path))
    with pytest.raises(TlbookError, match=r"^no benchmark can be run; att_splits\.mat of AWA2 is missing[^\n]*$"):
        table.record_benchmarks(tmp_path)
    with pytest.raises(SystemExit, match=r"^no benchmark can be run; [^\n]*$"):
        table.main(["benchmarks"])
    for wrong in ([], ["digit"], ["digits", "benchmarks"]):
        with pytest.raises(SystemExit, match=r"^given [^\n]*; expected one of: digits, benchmarks$"):
            table.main(wrong)


def test_the_published_numbers_agree_with_themselves() -> None:
    for rows in table.PUBLISHED.values():
        for row in rows.values():
            assert row["harmonic"] == pytest.approx(harmonic_mean(row["seen"], row["unseen"]), abs=0.06)
