"""Batches of a domain that depend on the seed and the step alone."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor

from tlbook.data.domain import Domain
from tlbook.errors import TlbookError
from tlbook.methods.method import Batch

__all__ = ["Sampler"]

AHEAD = 3  # batches that are read from disk before they are asked for


class Sampler:
    """Shuffled passes over a domain, one after the other, cut into batches.

    Rows in memory lie on the device as they are. Rows on disk are read by a thread, some batches ahead, so that the
    loop does not wait for them; they are the same rows in the same order, and lie in memory in the same way. It is used
    in a ``with``, whose end stops the thread.

    Args:
        domain: where the rows are from.
        batch_size: how many rows a batch has; more than the domain has go round.
        seed: of the order.
        stream: another number for each domain of a run.
        steps: how many batches there are.
        device: where the batches are wanted.

    Example:
        >>> rows = Domain("toy", torch.arange(6.0)[:, None], None, ("a",))
        >>> with Sampler(rows, batch_size=3, seed=0, stream=0, steps=2, device=torch.device("cpu")) as sampler:
        ...     sorted(x for step in range(2) for x in sampler.batch(step).x.flatten().tolist())
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """

    def __init__(
        self, domain: Domain, batch_size: int, seed: int, stream: int, steps: int, device: torch.device
    ) -> None:
        self.name, self.n, self.batch_size, self.steps, self.device = (
            domain.name,
            len(domain),
            batch_size,
            steps,
            device,
        )
        self.reader = None if isinstance(domain.x, Tensor) else ThreadPoolExecutor(1, "rows of " + domain.name)
        self.ahead: deque[tuple[int, Future[Batch]]] = deque()
        self.x, self.y = (domain.x, domain.y) if self.reader else _placed(domain, device)
        self.nothing = Batch(self.x[:0].to(device))
        order = partial(_order, n=self.n, key=(seed, stream), device=self.x.device)
        self.order = lru_cache(maxsize=2)(order)  # not of a method: the circle would keep the rows alive

    def batch(self, step: int) -> Batch:
        """The rows of a step, and their labels where there are any."""
        if self.reader is None:
            return self._read(step)
        while self.ahead and self.ahead[0][0] != step:
            self.ahead.popleft()
        for later in range(step + len(self.ahead), min(step + AHEAD + 1, self.steps)):
            self.ahead.append((later, self.reader.submit(self._read, later)))
        try:
            return self.ahead.popleft()[1].result()
        except OSError as error:
            raise TlbookError(
                f"rows of {self.name!r} cannot be read ({error}); expected the folder as it was at the start: put it "
                "back, or write it again with .to_disk"
            ) from error

    def _read(self, step: int) -> Batch:
        start = step * self.batch_size
        stop = start + self.batch_size
        turns = range(start // self.n, (stop - 1) // self.n + 1)
        index = torch.cat([self.order(t)[max(start - t * self.n, 0) : stop - t * self.n] for t in turns])
        y = None if self.y is None else self.y[index]
        if self.reader is None:
            return Batch(_take(self.x, index), y)
        rows = self.x[index]
        rows = _take(_channels_last(rows), torch.arange(len(rows)))  # strides and all as from memory
        return Batch(rows.to(self.device), None if y is None else y.to(self.device))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.reader is not None:
            self.reader.shutdown(cancel_futures=True)


def _placed(domain: Domain, device: torch.device) -> tuple[Tensor, Tensor | None]:
    domain = domain.to(device)
    return _channels_last(domain.x), domain.y


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


def _order(turn: int, n: int, key: tuple[int, int], device: torch.device) -> Tensor:
    [state] = np.random.SeedSequence([*key, turn]).generate_state(1)
    return torch.randperm(n, generator=torch.Generator().manual_seed(int(state))).to(device)


def _take(x: Tensor, index: Tensor) -> Tensor:
    if x.dim() != 4:
        return x[index]
    return x.permute(0, 2, 3, 1)[index].permute(0, 3, 1, 2)  # images lie channels last: copy whole rows of bytes
