"""The claims hold for another seed than the one that is shown, within the time and memory that chapters may take."""

import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import nbformat
import papermill
import pytest

from tlbook.chapters import execute, printed

CHAPTERS = sorted((Path(__file__).parents[2] / "book").glob("*.ipynb"))
SECONDS = 120  # 60 on two cores; here a chapter has one core for itself
GIGABYTES = 1.5


def run(chapter: Path, output: Path, seed: int) -> tuple[float, float]:
    """The seconds that a chapter takes, and the most gigabytes that its kernel, a child of this process, holds."""
    os.environ["OMP_NUM_THREADS"] = "1"  # two chapters with two threads each on two cores wait for one another
    start = time.monotonic()
    execute(chapter, output, {"seed": seed}, timeout=600)
    seconds = time.monotonic() - start
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e9


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_the_claims_hold_for_another_seed(chapter: Path, tmp_path: Path) -> None:
    seed = 1 + int(papermill.inspect_notebook(str(chapter))["seed"]["default"])
    output = tmp_path / chapter.name
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        seconds, gigabytes = alone.submit(run, chapter, output, seed).result()
    executed = nbformat.read(output, as_version=4)
    assert "\nclaim holds: " in printed(executed)
    solutions = [cell for cell in executed.cells if "solution" in cell.metadata.get("tags", [])]
    told = [printed(nbformat.v4.new_notebook(cells=[cell])).strip() for cell in solutions]
    assert [line for line in told if not line.endswith(": right")] == []
    print(f"{chapter.stem} with seed {seed}: {seconds:.0f} s, {gigabytes:.2f} GB")
    assert seconds <= SECONDS
    assert gigabytes <= GIGABYTES
