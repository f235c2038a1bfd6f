"""Sizes as people read them, and how much memory there is."""

import resource
from pathlib import Path

import pytest
import torch

from tlbook.data import memory
from tlbook.data.memory import check_fits, free_memory, readable
from tlbook.errors import TlbookError


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1 kB"),
        (1_234, "1.23 kB"),
        (999_000, "999 kB"),
        (1_000_000, "1 MB"),
        (150_528_000, "151 MB"),
        (1_000_000_000, "1 GB"),
        (5_250_000_000, "5.25 GB"),
        (2 * 10**12, "2e+03 GB"),
    ],
)
def test_a_size_has_three_digits_and_a_unit(size: int, said: str) -> None:
    assert readable(size) == said


FILES = {
    "/proc/meminfo": "MemTotal:  99 kB\nMemFree:  1 kB\nMemAvailable:       50 kB\nBuffers: 7 kB\n",
    "/sys/fs/cgroup/memory.max": "max\n",
    "/sys/fs/cgroup/memory.current": "30000\n",
    "/proc/self/statm": "3 2 1 0 0 0 0\n",
}
PAGE = resource.getpagesize()


@pytest.mark.parametrize(
    ("files", "limit", "free"),
    [
        ({}, resource.RLIM_INFINITY, 51_200),
        ({"/sys/fs/cgroup/memory.max": "70000\n"}, resource.RLIM_INFINITY, 40_000),
        ({"/sys/fs/cgroup/memory.max": "20000\n"}, resource.RLIM_INFINITY, 0),
        ({}, 3 * PAGE + 1_000, 1_000),
        ({}, 2 * PAGE, 0),
        ({"/proc/meminfo": "MemTotal: 99 kB\n"}, resource.RLIM_INFINITY, None),
        ({"/proc/meminfo": None, "/sys/fs/cgroup/memory.max": "70000\n"}, resource.RLIM_INFINITY, 40_000),
        ({"/proc/self/statm": None}, 1_000, 51_200),
    ],
)
def test_the_least_of_machine_group_and_limit_is_free(
    files: dict[str, str | None], limit: int, free: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path, encoding: str) -> str:
        content = (FILES | files)[str(path)]
        if content is None:
            raise FileNotFoundError(path)
        return content

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limit, limit))
    assert free_memory() == free


def test_what_fits_to_the_last_byte_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for free in (240, None, 10**9):
        monkeypatch.setattr(memory, "free_memory", lambda free=free: free)
        assert check_fits("cats", 20, (1, 3), torch.float32, "take fewer") == 240
    monkeypatch.setattr(memory, "free_memory", lambda: 239)
    line = r"^cats: 20 examples of 1×3 take 240 bytes; expected at most 239 bytes, which are free: take fewer$"
    with pytest.raises(TlbookError, match=line):
        check_fits("cats", 20, (1, 3), torch.float32, "take fewer")
