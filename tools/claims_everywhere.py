"""Do the claims of the book hold on other processors, with more threads and for other seeds?

Run it from the root of the repository: ``python -m tools.claims_everywhere [CHAPTER …] [--settings PATTERN …]``.
A setting is ``processor/threads/seed``, a pattern such as ``old/*/0``. A processor is not another machine but this
one, with the libraries told to use only the instructions that an older one has: ``old`` has no AVX (about 2008),
``avx2`` no AVX-512 (about 2013), ``all`` is left alone. That they obey is asked of the libraries themselves, in each
chapter's own kernel. Each chapter runs to its end, past claims that fail. What is done is kept in ``_build/claims``
and not done again until the code changes.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypedDict

import nbformat
from tqdm import tqdm

from tools.build_book import ROOT, TIMEOUT, chapters, digest

THREADS = (1, 2)
SEEDS = (0, 101, 202, 303)  # the one that is shown, and three on which no bound was set
# What tells each library which instructions it may use; numpy is told by environment().
LIMITS = {
    "old": {
        "ATEN_CPU_CAPABILITY": "default",
        "DNNL_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OPENBLAS_CORETYPE": "Nehalem",
    },
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "DNNL_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
    },
    "all": {},
}
# What the libraries then say of themselves.
ANSWERS = {
    "old": {"torch": "DEFAULT", "oneDNN": "SSE4.1", "MKL": "SSE4.2", "OpenBLAS": ["Nehalem"], "bf16": False},
    "avx2": {"torch": "AVX2", "oneDNN": "AVX2", "MKL": "AVX2", "OpenBLAS": ["Haswell"], "bf16": False},
    "all": {},
}
FOREIGN = "Architecture"  # MKL's word for a processor of another maker, where it has one path and heeds no limit
# What oneDNN and MKL print of their instructions while they work.
SPOKEN = {
    "oneDNN": re.compile(r"cpu,isa:(?:Intel )?(.+)"),
    "MKL": re.compile(rf"MKL_VERBOSE .*?(?:\(Intel\(R\) |Intel\(R\) (?={FOREIGN} processors))([\w.-]+)"),
}
NUMPY_AVX = ("AVX", "FMA", "F16C", "X86_V3", "X86_V4")  # how the names of numpy's features beyond SSE4.2 begin
NUMPY_AVX512 = ("AVX512", "X86_V4")
LINE = re.compile(r"^claim (holds|fails|not checked): (.*)$", re.MULTILINE)
FIRST_CELL = "from tools.claims_everywhere import begin\nbegin()"


@dataclass(frozen=True)
class Setting:
    """A processor, a number of threads and a seed."""

    processor: str
    threads: int
    seed: int

    def __str__(self) -> str:
        return f"{self.processor}/{self.threads}/{self.seed}"


class Outcome(TypedDict):
    """What became of a chapter in a setting: its claims by their fate, the error that stopped it, what was in force."""

    holds: list[str]
    fails: list[str]
    unchecked: list[str]
    error: str
    in_force: dict[str, Any]
    seconds: float


SETTINGS = [Setting(p, t, s) for s in SEEDS for t in THREADS for p in LIMITS]
USUAL = ["*/*/0", "all/1/*"]  # each processor with each number of threads, and each seed


def environment(setting: Setting) -> dict[str, str]:
    """The environment in which the libraries keep to a setting; OpenBLAS is only ever held lower than it was."""
    kept = {name: value for name, value in os.environ.items() if name not in LIMITS["old"] or "OPENBLAS" in name}
    threads = {f"{library}_NUM_THREADS": str(setting.threads) for library in ("OMP", "MKL", "OPENBLAS")}
    limits = dict(LIMITS[setting.processor])
    if limits:
        limits["ONEDNN_MAX_CPU_ISA"] = limits["DNNL_MAX_CPU_ISA"]  # the newer name of the same
        limits["NPY_DISABLE_CPU_FEATURES"] = " ".join(_forbidden_to_numpy(setting.processor))
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**kept, **threads, **limits, "PYTHONPATH": path, "TQDM_DISABLE": "1"}


def _forbidden_to_numpy(processor: str) -> list[str]:
    """The features of numpy's that it chooses at run time and that the processor does not have."""
    from numpy._core._multiarray_umath import __cpu_dispatch__

    names = {"old": NUMPY_AVX, "avx2": NUMPY_AVX512, "all": ()}[processor]
    return [feature for feature in __cpu_dispatch__ if feature.startswith(names)]


def in_force() -> dict[str, Any]:
    """What the libraries of this process say of the instructions and threads that they use."""
    import scipy.linalg  # noqa: F401  it has an OpenBLAS of its own
    import sklearn.cluster  # noqa: F401  it has an OpenMP of its own
    import torch
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
    from threadpoolctl import threadpool_info

    from tlbook import train

    pools = threadpool_info()
    return {
        "torch": torch.backends.cpu.get_cpu_capability(),
        "OpenBLAS": sorted({pool["architecture"] for pool in pools if pool["internal_api"] == "openblas"}),
        "numpy": [feature for feature in __cpu_dispatch__ if __cpu_features__[feature]],
        "threads": sorted({torch.get_num_threads(), *(pool["num_threads"] for pool in pools)}),
        "bf16": train._fast_bf16("cpu"),
    }


def probe() -> None:
    """Print what is in force, and have oneDNN and MKL, which only speak while they work, speak."""
    import torch

    with torch.no_grad():
        torch.nn.Conv2d(8, 8, 3)(torch.ones(2, 8, 8, 8))
        torch.ones(64, 64) @ torch.ones(64, 64)
    print(json.dumps(in_force()), flush=True)


def proof(setting: Setting) -> dict[str, Any]:
    """What a process in a setting finds in force, oneDNN and MKL included."""
    verbose = environment(setting) | {"ONEDNN_VERBOSE": "1", "MKL_VERBOSE": "1"}
    command = [sys.executable, "-c", "from tools.claims_everywhere import probe; probe()"]
    said = subprocess.run(command, env=verbose, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    return found | {name: match[1] if (match := line.search(said)) else None for name, line in SPOKEN.items()}


def disobeyed(setting: Setting, found: dict[str, Any]) -> list[str]:
    """Which libraries do not keep to a setting, by what they say; none where all do."""
    expected = ANSWERS[setting.processor] | {"threads": [setting.threads]}
    heard = found | ({"MKL": expected.get("MKL")} if found.get("MKL") == FOREIGN else {})
    wrong = [f"{name} says {heard[name]}" for name, value in expected.items() if heard.get(name, value) != value]
    if still := set(found["numpy"]) & set(_forbidden_to_numpy(setting.processor)):
        wrong.append(f"numpy still uses {' '.join(sorted(still))}")
    return wrong


def impossible(processor: str, machine: str, features: Sequence[str]) -> str | None:
    """Why a processor cannot be played on this one, ``None`` where it can.

    Args:
        processor: a key of ``LIMITS``.
        machine: what :func:`platform.machine` says.
        features: the instruction sets that numpy finds, by its names.
    """
    if processor == "all":
        return None
    if machine.lower() not in ("x86_64", "amd64"):
        return f"this processor is {machine}, not x86; only 'all' can be run here"
    if processor == "avx2" and "AVX2" not in features:
        return "this processor has no AVX2"
    if processor == "avx2" and "AVX512F" not in features:
        return "this processor has no AVX-512, so 'all' is the same"
    return None


def begin() -> None:
    """In a chapter's kernel: print what is in force, and let claims that fail be printed instead of ending it."""
    import tlbook
    from tlbook import claims

    print(f"in force: {json.dumps(in_force())}")
    tlbook.claim = claims.claim = lenient(claims.claim)


def lenient(claim: Callable[..., None]) -> Callable[..., None]:
    """The same claim, which prints ``claim fails: …`` where it would raise."""
    from tlbook.claims import ClaimFailed

    def said(*arguments: Any, **bounds: Any) -> None:
        try:
            claim(*arguments, **bounds)
        except ClaimFailed as failed:
            print(f"claim fails: {failed}")

    return said


def run_here(chapter: Path, seed: int) -> Outcome:
    """Execute a copy of a chapter, with :func:`begin` before its first cell, in the setting of this process."""
    from tlbook.chapters import ChapterFailed, execute, printed

    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder, "book")
        book.mkdir()
        for file in chapter.parent.iterdir():  # all that it may read beside it
            if file != chapter:
                (book / file.name).symlink_to(file)
        notebook = nbformat.read(chapter, as_version=4)
        notebook.cells.insert(0, nbformat.v4.new_code_cell(FIRST_CELL))
        nbformat.write(notebook, book / chapter.name)
        output, error = Path(folder, "executed.ipynb"), ""
        try:
            execute(book / chapter.name, output, {"seed": seed}, timeout=TIMEOUT)
        except ChapterFailed as failed:
            error = str(failed).partition("\n\nwhat ran is in")[0]
        said = printed(nbformat.read(output, as_version=4)) if output.exists() else ""
    force = re.search(r"^in force: (.*)$", said, re.MULTILINE)
    fates: dict[str, list[str]] = {"holds": [], "fails": [], "not checked": []}
    for fate, sentence in LINE.findall(said):
        fates[fate].append(sentence)
    return Outcome(
        holds=fates["holds"],
        fails=fates["fails"],
        unchecked=fates["not checked"],
        error=error,
        in_force=json.loads(force[1]) if force else {},
        seconds=time.monotonic() - start,
    )


def kept(chapter: Path, setting: Setting) -> Path:
    """Where the outcome of a chapter in a setting is kept: by its code, the setting and this processor's features."""
    said = f"{_digest(chapter)} {LIMITS} {FIRST_CELL} {platform.machine()} {_features()}"
    name = f"{sha256(said.encode()).hexdigest()[:16]}.json"
    return ROOT / "_build" / "claims" / str(setting).replace("/", "-") / chapter.stem / name


@cache
def _digest(chapter: Path) -> str:
    return digest(chapter, ROOT)


def _features() -> list[str]:
    """The instruction sets of this processor, by numpy's names."""
    from numpy._core._multiarray_umath import __cpu_features__

    return [name for name, there in __cpu_features__.items() if there]


def outcome(chapter: Path, setting: Setting, place: Path) -> Outcome:
    """The outcome of a chapter in a setting, from a process of its own, or kept from before; an error is not kept."""
    if not place.exists():
        shutil.rmtree(place.parent, ignore_errors=True)
        place.parent.mkdir(parents=True)
        command = [sys.executable, "-m", "tools.claims_everywhere", chapter.stem]
        command += ["--here", str(setting.seed), str(place.with_suffix(".new"))]
        done = subprocess.run(command, env=environment(setting), cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            return _stopped(done.stderr.strip())
        found: Outcome = json.loads(place.with_suffix(".new").read_text(encoding="utf-8"))
        if wrong := disobeyed(setting, found["in_force"]) if found["in_force"] else []:
            return _stopped(f"the setting was not in force: {', '.join(wrong)}")
        if found["error"]:
            return found
        place.with_suffix(".new").rename(place)
    kept_outcome: Outcome = json.loads(place.read_text(encoding="utf-8"))
    return kept_outcome


def _stopped(error: str) -> Outcome:
    return Outcome(holds=[], fails=[], unchecked=[], error=error, in_force={}, seconds=0.0)


def turn(root: Path) -> int:
    """A number that grows by one from commit to commit, and from day to day where git has no say."""
    count = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=root, capture_output=True, text=True)
    return int(count.stdout) if count.returncode == 0 else int(time.time()) // 86400


def chosen(turn: int, names: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """What CI runs at a turn: a third of the chapters, on the two lesser processors, with one of the other seeds.

    Three turns run every chapter; nine run every chapter with every other seed.
    """
    seed = SEEDS[1 + turn // 3 % 3]
    return list(names[turn % 3 :: 3]), [f"old/1/{seed}", f"avx2/2/{seed}"]


def table(found: dict[tuple[str, Setting], Outcome]) -> str:
    """A row a chapter and a column a setting: how many claims hold, of how many where not all do."""
    settings = [s for s in SETTINGS if any(setting == s for _, setting in found)]
    names = sorted({name for name, _ in found})
    rows = [["", *map(str, settings)]]
    rows += [[name, *(_cell(found.get((name, setting))) for setting in settings)] for name in names]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for (name, setting), one in sorted(found.items(), key=lambda item: item[0][0]):
        lines += [f"FAILS in {name} {setting}: {sentence}" for sentence in one["fails"]]
        if one["error"]:
            lines.append(f"STOPPED {name} {setting}: {one['error']}")
    return "\n".join(lines)


def _cell(one: Outcome | None) -> str:
    if one is None:
        return "-"
    if one["error"]:
        return "stopped"
    held, failed = len(one["holds"]), len(one["fails"])
    return f"{held} of {held + failed}" if failed else str(held)


def run(names: Sequence[Path], settings: Sequence[Setting], jobs: int) -> dict[tuple[str, Setting], Outcome]:
    """Run chapters in settings, ``jobs`` threads at a time, with one progress bar; what each came to."""
    found: dict[tuple[str, Setting], Outcome] = {}
    places = {(chapter, setting): kept(chapter, setting) for chapter in names for setting in settings}
    with tqdm(total=len(places), unit="run", disable=None) as bar:
        for threads in THREADS:
            with ThreadPoolExecutor(max(1, jobs // threads)) as pool:
                mine = {key: place for key, place in places.items() if key[1].threads == threads}
                runs = {pool.submit(outcome, *key, place): key for key, place in mine.items()}
                try:
                    for future in as_completed(runs):
                        chapter, setting = runs[future]
                        one = found[chapter.stem, setting] = future.result()
                        bar.update()
                        bar.write(f"{chapter.stem} {setting}: {_cell(one)} in {one['seconds']:.0f} s")
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
    return found


def possible(settings: Sequence[Setting]) -> list[Setting]:
    """The settings that can be made on this machine; a line for each kind that cannot."""
    left = list(settings)
    for processor in dict.fromkeys(setting.processor for setting in settings):
        if why := impossible(processor, platform.machine(), _features()):
            print(f"{processor}: cannot be made here: {why}")
            left = [setting for setting in left if setting.processor != processor]
    for threads in (n for n in THREADS if n > (os.cpu_count() or 1)):
        print(f"{threads} threads: cannot be made here: this machine has {os.cpu_count()}")
        left = [setting for setting in left if setting.threads != threads]
    for one in {(setting.processor, setting.threads): setting for setting in left}.values():
        said = proof(one)
        if wrong := disobeyed(one, said):
            print(f"{one.processor}/{one.threads}: cannot be made here: {', '.join(wrong)}")
            left = [setting for setting in left if (setting.processor, setting.threads) != (one.processor, one.threads)]
        else:
            print(f"{one.processor}/{one.threads}: {', '.join(f'{name} {value}' for name, value in said.items())}")
    return left


def main() -> int:
    """Run what the arguments say; the exit status is 1 where a claim fails or a chapter stops."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help="names of chapters; all if none is given")
    parser.add_argument("--settings", nargs="+", default=USUAL, metavar="PATTERN", help="'*' is each with each")
    parser.add_argument("--turn", action="store_true", help="what CI runs at this commit: a third of the chapters")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="cores to use at a time")
    parser.add_argument("--here", nargs=2, metavar=("SEED", "FILE"), help=argparse.SUPPRESS)  # one chapter, in a worker
    arguments = parser.parse_args()
    there = {chapter.stem: chapter for chapter in chapters(ROOT)}
    if unknown := [name for name in arguments.chapters if name not in there]:
        parser.error(f"no chapter {', '.join(unknown)}; expected some of {', '.join(there)}")
    names = [there[name] for name in arguments.chapters] or list(there.values())
    if arguments.here:
        seed, place = arguments.here
        Path(place).write_text(json.dumps(run_here(names[0], int(seed)), indent=1), encoding="utf-8")
        return 0
    patterns = arguments.settings
    if arguments.turn:
        number = turn(ROOT)
        names, patterns = chosen(number, names)
        print(f"turn {number}: {', '.join(chapter.stem for chapter in names)}, each in {' and '.join(patterns)}")
    settings = [setting for setting in SETTINGS if any(fnmatch(str(setting), pattern) for pattern in patterns)]
    if not settings:
        parser.error(f"no setting fits {' '.join(patterns)}; expected some of {', '.join(map(str, SETTINGS))}")
    found = run(names, possible(settings), arguments.jobs)
    print(table(found))
    bad = sum(bool(one["fails"] or one["error"]) for one in found.values())
    claims = sum(len(one["holds"]) for one in found.values())
    print(f"{len(found)} runs, {claims} claims hold, {bad} runs with a claim that fails or a chapter that stops")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
