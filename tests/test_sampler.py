"""Rows that are read ahead: the same as from memory, and never more than a few batches of them."""

from pathlib import Path

import pytest
import torch

from tlbook._sampler import AHEAD, Sampler
from tlbook.data import Domain
from tlbook.errors import TlbookError

CPU = torch.device("cpu")


def rows(n: int = 10) -> Domain:
    return Domain("rows", torch.arange(3.0 * n).view(n, 3), torch.arange(n) % 2, ("a", "b"))


def read(domain: Domain, steps: list[int], batch_size: int = 4, of: int = 9) -> list[tuple[list[float], list[int]]]:
    with Sampler(domain, batch_size=batch_size, seed=1, stream=0, steps=of, device=CPU) as sampler:
        batches = [sampler.batch(step) for step in steps]
    return [(batch.x[:, 0].tolist(), batch.labels.tolist()) for batch in batches]


@pytest.mark.parametrize("batch_size", [1, 4, 10, 23])
@pytest.mark.parametrize("steps", [[*range(9)], [3, 4, 5], [8], [0, 5, 2, 2, 8, 7]])
def test_rows_on_disk_come_as_those_in_memory(batch_size: int, steps: list[int], tmp_path: Path) -> None:
    stored = rows().to_disk(tmp_path / "rows")
    assert read(stored, steps, batch_size) == read(rows(), steps, batch_size)
    assert all(len(x) == batch_size for x, _ in read(stored, steps, batch_size))


def test_three_batches_are_read_ahead_and_none_after_the_last(tmp_path: Path) -> None:
    with Sampler(rows().to_disk(tmp_path / "rows"), 2, seed=0, stream=0, steps=6, device=CPU) as sampler:
        ahead = []
        for step in range(6):
            sampler.batch(step)
            ahead.append([later for later, _ in sampler.ahead])
    assert AHEAD == 3
    assert ahead == [[1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5], [5], []]


def test_each_pass_is_in_an_order_of_its_own_and_so_is_each_stream() -> None:
    def passes(**how: int) -> list[list[float]]:
        with Sampler(rows(), **({"batch_size": 10, "seed": 0, "stream": 0, "steps": 3} | how), device=CPU) as sampler:
            return [sampler.batch(step).x[:, 0].tolist() for step in range(3)]

    orders = [tuple(order) for how in ({}, {"stream": 1}, {"seed": 1}) for order in passes(**how)]
    assert len(set(orders)) == 9
    assert {tuple(sorted(order)) for order in orders} == {tuple(3.0 * i for i in range(10))}
    assert passes() == passes()


def test_an_empty_batch_has_the_form_of_the_rows(tmp_path: Path) -> None:
    for domain in (rows(), rows().to_disk(tmp_path / "rows")):
        with Sampler(domain, 2, seed=0, stream=0, steps=1, device=CPU) as sampler:
            assert sampler.nothing.x.shape == (0, 3)
            assert sampler.nothing.x.dtype == torch.float32
            assert sampler.nothing.y is None


def test_a_folder_that_goes_away_is_one_line(tmp_path: Path) -> None:
    stored = rows().to_disk(tmp_path / "rows")
    with Sampler(stored, 4, seed=0, stream=0, steps=9, device=CPU) as sampler:
        (tmp_path / "rows").rename(tmp_path / "elsewhere")
        with pytest.raises(TlbookError, match=r"^rows of 'rows' cannot be read \([^\n]*\); expected the folder as it"):
            sampler.batch(0)
