"""The claims hold for another seed than the one that is shown, within the time and memory that chapters may take."""

import time
from pathlib import Path

import nbformat
import papermill
import psutil
import pytest

from tlbook.chapters import execute

CHAPTERS = sorted((Path(__file__).parents[2] / "book").glob("*.ipynb"))
SECONDS = 120  # 60 on two cores; here a chapter has one core for itself
GIGABYTES = 1.5


def peak_gigabytes_of_children() -> float:
    """The most memory that any child of this process has held so far."""
    peaks = [0]
    for child in psutil.Process().children(recursive=True):
        status = Path(f"/proc/{child.pid}/status").read_text()
        peaks += [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")]
    return max(peaks) / 1e6


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_the_claims_hold_for_another_seed(chapter: Path, tmp_path: Path) -> None:
    seed = 1 + int(papermill.inspect_notebook(str(chapter))["seed"]["default"])
    peaks = []
    start = time.monotonic()
    output = tmp_path / chapter.name
    execute(chapter, output, {"seed": seed}, timeout=600, on_cell=lambda: peaks.append(peak_gigabytes_of_children()))
    seconds = time.monotonic() - start
    printed = [
        out.get("text", "") for cell in nbformat.read(output, as_version=4).cells for out in cell.get("outputs", [])
    ]
    assert any(text.startswith("claim holds: ") for text in printed)
    print(f"{chapter.stem} with seed {seed}: {seconds:.0f} s, {max(peaks):.2f} GB")
    assert seconds <= SECONDS
    assert max(peaks) <= GIGABYTES
