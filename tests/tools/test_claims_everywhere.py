"""The claims on other processors, with more threads and for other seeds: the settings are real, and nothing is lost."""

import json
import os
import platform
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tlbook import claim, train
from tools import claims_everywhere
from tools.claims_everywhere import SEEDS, SETTINGS, Outcome, Setting, chosen, disobeyed, impossible, lenient, table

X86 = platform.machine().lower() in ("x86_64", "amd64")
held = pytest.mark.skipif(not X86, reason="libraries are held to older instructions on x86 only")


@held
@pytest.mark.parametrize(
    "setting",
    [Setting("old", 1, 0), Setting("avx2", 2, 0), Setting("all", 1, 0)],
    ids=str,
)
def test_a_setting_is_in_force(setting: Setting) -> None:
    features = claims_everywhere._features()
    if "AVX2" not in features:
        pytest.skip("this processor has no AVX2")
    found = claims_everywhere.proof(setting)
    assert not disobeyed(setting, found)
    assert {"old": "DEFAULT", "avx2": "AVX2"}.get(setting.processor, found["torch"]) == found["torch"]
    assert found["threads"] == [setting.threads]
    assert found["bf16"] == (train._fast_bf16("cpu") and setting.processor == "all")
    beyond = {"old": ("AVX", "X86_V3", "X86_V4"), "avx2": ("AVX512", "X86_V4"), "all": ("nothing",)}[setting.processor]
    assert not [feature for feature in found["numpy"] if feature.startswith(beyond)]


@held
@pytest.mark.parametrize("library", ["torch", "oneDNN", "MKL", "OpenBLAS", "numpy", "threads", "bf16"])
def test_a_library_that_does_not_obey_is_named(library: str) -> None:
    setting = Setting("old", 1, 0)
    found: dict[str, Any] = claims_everywhere.ANSWERS["old"] | {"numpy": [], "threads": [1]}
    assert not disobeyed(setting, found)
    wrong = {"OpenBLAS": ["SkylakeX"], "numpy": claims_everywhere._forbidden_to_numpy("old"), "threads": [1, 2]}
    (line,) = disobeyed(setting, found | {library: wrong.get(library, "AVX512")})
    assert library in line


@pytest.mark.parametrize(
    ("processors", "word"),
    [
        ("Intel(R) Advanced Vector Extensions 2 (Intel(R) AVX2) enabled processors", "AVX2"),
        ("Intel(R) Streaming SIMD Extensions 4.2 (Intel(R) SSE4.2) enabled processors", "SSE4.2"),
        ("Intel(R) Architecture processors", "Architecture"),  # as on AMD
    ],
)
def test_what_mkl_says_of_its_instructions_is_heard(processors: str, word: str) -> None:
    line = f"MKL_VERBOSE oneMKL 2024.0 Update 2 Product build 20240605 for Intel(R) 64 architecture {processors}, Lnx"
    match = claims_everywhere.SPOKEN["MKL"].search(line)
    assert match is not None
    assert match[1] == word


def test_on_a_processor_of_another_maker_mkl_is_not_held_to_what_it_does_not_heed() -> None:
    found: dict[str, Any] = claims_everywhere.ANSWERS["old"] | {"numpy": [], "threads": [1]}
    assert not disobeyed(Setting("old", 1, 0), found | {"MKL": claims_everywhere.FOREIGN})
    assert disobeyed(Setting("old", 1, 0), found | {"MKL": None}) == ["MKL says None"]


def test_the_environment_holds_back_no_library_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    found = claims_everywhere.environment(Setting("all", 2, 0))
    assert "ATEN_CPU_CAPABILITY" not in found
    assert found["OPENBLAS_CORETYPE"] == "Haswell"  # where newer kernels are wrong, the machine says so
    assert found["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    ("processor", "machine", "features", "why"),
    [
        ("old", "x86_64", [], None),
        ("old", "arm64", [], "arm64, not x86"),
        ("avx2", "aarch64", [], "aarch64, not x86"),
        ("avx2", "AMD64", ["AVX2", "AVX512F"], None),
        ("avx2", "x86_64", ["SSE42"], "no AVX2"),
        ("avx2", "x86_64", ["AVX2"], "no AVX-512, so 'all' is the same"),
        ("all", "arm64", [], None),
    ],
)
def test_what_this_processor_cannot_play_is_said(
    processor: str, machine: str, features: list[str], why: str | None
) -> None:
    said = impossible(processor, machine, features)
    assert said is None if why is None else why in str(said)


def test_a_claim_that_fails_is_printed_and_the_next_one_is_heard(capsys: pytest.CaptureFixture[str]) -> None:
    said = lenient(claim)
    said("pigs fly", 0.1234, above=1)
    said("birds fly", True)
    assert capsys.readouterr().out.splitlines() == ["claim fails: pigs fly [0.123, above 1]", "claim holds: birds fly"]


def notebook(folder: Path, *cells: str) -> Path:
    (folder / "book").mkdir()
    chapter = folder / "book" / "pigs.ipynb"
    parameters = nbformat.v4.new_code_cell("seed = 0", metadata={"tags": ["parameters"]})
    code = [parameters, *(nbformat.v4.new_code_cell(cell) for cell in cells)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=code, metadata=kernel), chapter)
    (folder / "book" / "beside.txt").write_text("read")
    return chapter


def test_a_chapter_is_run_to_its_end_with_the_seed_among_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(claims_everywhere.ROOT))
    chapter = notebook(
        tmp_path,
        "from tlbook import claim\nclaim('pigs fly', seed, above=7)\nclaim('pigs walk', True)",
        "claim('what lies beside is read', open('beside.txt').read() == 'read')",
    )
    before = chapter.read_bytes()
    found = claims_everywhere.run_here(chapter, 7)
    assert found["fails"] == ["pigs fly [7.000, above 7]"]
    assert found["holds"] == ["pigs walk", "what lies beside is read"]
    assert found["error"] == ""
    assert found["in_force"]["torch"]
    assert chapter.read_bytes() == before


def test_a_chapter_that_stops_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(claims_everywhere.ROOT))
    found = claims_everywhere.run_here(notebook(tmp_path, "1 / 0"), 0)
    assert "ZeroDivisionError" in found["error"]


def outcome(**parts: Any) -> Outcome:
    return Outcome(**({"holds": [], "fails": [], "unchecked": [], "error": "", "in_force": {}, "seconds": 1.0} | parts))


def test_what_is_done_is_not_done_again_and_an_error_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting, calls = SETTINGS[0], []
    results = [outcome(error="stopped"), outcome(holds=["pigs walk"])]

    def worker(command: list[str], **_: Any) -> Any:
        Path(command[-1]).write_text(json.dumps(results[len(calls)]))
        calls.append(command)
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr(claims_everywhere.subprocess, "run", worker)
    monkeypatch.setattr(claims_everywhere, "environment", lambda setting: dict(os.environ))
    place = tmp_path / "pigs" / "a.json"
    said = [claims_everywhere.outcome(Path("pigs.ipynb"), setting, place) for _ in range(3)]
    assert [one["error"] for one in said] == ["stopped", "", ""]
    assert len(calls) == 2


def test_a_run_in_another_setting_than_asked_for_counts_as_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worker(command: list[str], **_: Any) -> Any:
        force = claims_everywhere.ANSWERS["old"] | {"numpy": [], "threads": [2]}
        Path(command[-1]).write_text(json.dumps(outcome(holds=["pigs walk"], in_force=force)))
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr(claims_everywhere.subprocess, "run", worker)
    found = claims_everywhere.outcome(Path("pigs.ipynb"), Setting("old", 1, 0), tmp_path / "pigs" / "a.json")
    assert found["error"] == "the setting was not in force: threads says [2]"


def test_by_turns_every_chapter_meets_every_other_seed_on_both_lesser_processors() -> None:
    names = [Path(f"{letter}.ipynb") for letter in "abcdefghijklm"]
    met = {
        (name, pattern) for turn in range(100, 109) for name in chosen(turn, names)[0] for pattern in _patterns(turn)
    }
    everything = {(name, f"{way}/{seed}") for name in names for way in ("old/1", "avx2/2") for seed in SEEDS[1:]}
    assert met == everything
    assert max(len(chosen(turn, names)[0]) for turn in range(9)) == 5
    assert everything <= {(name, str(setting)) for name in names for setting in SETTINGS}


def _patterns(turn: int) -> list[str]:
    return chosen(turn, [])[1]


def test_the_table_counts_what_holds_and_lists_what_does_not() -> None:
    old, every = Setting("old", 1, 0), Setting("all", 2, 101)
    found = {
        ("pigs", old): outcome(holds=["a", "b"], fails=["pigs fly [height = 0.1]"]),
        ("pigs", every): outcome(holds=["a", "b", "c"]),
        ("birds", old): outcome(error="ZeroDivisionError"),
    }
    assert table(found).splitlines() == [
        "       old/1/0  all/2/101",
        "birds  stopped  -",
        "pigs   2 of 3   3",
        "STOPPED birds old/1/0: ZeroDivisionError",
        "FAILS in pigs old/1/0: pigs fly [height = 0.1]",
    ]
