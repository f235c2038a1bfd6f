"""The file that keeps an interrupted run, and the identity by which it is told from any other."""

from __future__ import annotations

import os
import random
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from tlbook._files import whole_file
from tlbook._identity import digest, fingerprint
from tlbook.data.domain import Domain, checksum
from tlbook.errors import TlbookError
from tlbook.methods.method import Method, Phase

__all__ = ["Checkpoint", "identity", "own_randomness"]


class Stateful(Protocol):
    """What can be kept and put back."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


def identity(
    method: Method,
    domains: dict[str, Domain | None],
    stretches: Sequence[tuple[Phase, int, int]],
    optimizers: Sequence[torch.optim.Optimizer],
    callables: dict[str, Callable[..., Any]],
    settings: dict[str, object],
) -> dict[str, str]:
    """All that the result of a run depends on, by value: a line each, equal in another process.

    Raises:
        TlbookError: for something in the method that cannot be told by its value.
    """
    parts = [("method", method), *((f"method.{name}", part) for name, part in method.named_modules() if name)]
    told = {name: str(value) for name, value in settings.items()}
    for name, domain in domains.items():
        told[name] = "None" if domain is None else f"{domain!r}, classes {digest(domain.classes)[:8]}"
        told[f"{name}'s content"] = "None" if domain is None else checksum(domain)[:16]
    for (phase, begin, end), optimizer in zip(stretches, optimizers, strict=True):
        learns = [next((path for path, module in parts if module is part), "?") for part in phase.learns]
        groups = [{**group, "params": [tuple(p.shape) for p in group["params"]]} for group in optimizer.param_groups]
        rates = ", ".join(f"{group.get('name', 'a group')} at {group['lr']}" for group in groups)
        told[f"phase {phase.name}"] = f"steps {begin} to {end}, rate × {phase.rate}, of {', '.join(learns)}"
        told[f"what phase {phase.name} does"] = digest((phase.losses, phase.start), parts)[:16]
        kind = f"{type(optimizer).__name__}({rates}), {digest((type(optimizer), optimizer.defaults, groups))[:12]}"
        told["optimizer"] = f"{told['optimizer']}, then {kind}" if "optimizer" in told else kind
    for name, function in callables.items():
        told[name] = f"{getattr(function, '__name__', type(function).__name__)} {digest(function, parts)[:16]}"
    return told | {"torch": str(torch.__version__)} | fingerprint("method", method)


class Checkpoint:
    """A file that keeps a run.

    Args:
        path: of the file; its folder must be there.
        told: the identity of the run.
        method: what is trained; its state is kept.
        state: what else is kept, by name.
        device: whose random numbers are kept.

    Raises:
        TlbookError: where there is no such folder.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        told: dict[str, str],
        method: Method,
        state: dict[str, Stateful],
        device: torch.device,
    ) -> None:
        self.path, self.told, self.device = Path(path), told, device
        self.method, self.state = method, {"method": method, **state}
        self.own = False  # whether what the file keeps is of this run
        if not self.path.parent.is_dir():
            raise TlbookError(f"checkpoint {path} is in no folder that is there; expected one: make it first")

    def resume(self) -> tuple[int, dict[str, Any]]:
        """Put back what the file keeps, where there is one; the step to go on from, and its optimizer's state.

        Raises:
            TlbookError: for a file that cannot be read, or is of another run.
        """
        if not self.path.exists():
            return 0, {}
        saved = self._read()
        before, now = saved["identity"], self.told
        if _equal(self.method.state_dict(), saved["method"]):  # the same object again, stopped or trained to the end
            own = {f"method.{name}" for name in self.method.state_dict()}
            before, now = ({name: line for name, line in told.items() if name not in own} for told in (before, now))
        if changed := [name for name in {**now, **before} if before.get(name) != now.get(name)]:
            was, asked = (
                textwrap.shorten(f"{changed[0]} {run.get(changed[0], 'not there')}", 200) for run in (before, now)
            )
            raise TlbookError(
                f"checkpoint {self.path} is of another run, with {was}; asked for is {asked}: delete it, or give "
                "another file"
            )
        self.own = True
        for name, part in self.state.items():
            part.load_state_dict(saved[name])
        _set_randomness(saved["randomness"], self.device)
        step: int = saved["step"]
        return step, saved["optimizer"]

    def save(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Write all that the rest of the run depends on.

        Raises:
            TlbookError: where it cannot be written.
        """
        whole: dict[str, Any] = {name: part.state_dict() for name, part in self.state.items()}
        whole |= {"optimizer": optimizer.state_dict(), "step": step, "identity": self.told}
        whole |= {"randomness": _randomness(self.device)}
        with whole_file(self.path) as file:
            torch.save(whole, file)
        self.own = True

    def put_back(self) -> None:
        """Give the method the weights that the file keeps, after an error."""
        if self.own:
            self.method.load_state_dict(self._read()["method"])

    def _read(self) -> dict[str, Any]:
        try:
            saved = dict(torch.load(self.path, map_location="cpu", weights_only=True))
            _ = saved["identity"], saved["randomness"], saved["step"], saved["optimizer"], *map(saved.get, self.state)
        except Exception as error:  # a broken file makes torch.load raise almost anything
            raise TlbookError(
                f"checkpoint {self.path} cannot be read ({type(error).__name__}); expected one that fit wrote: delete "
                "it, or give another file"
            ) from error
        return saved


def _equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(
        x.shape == b[name].shape and x.dtype == b[name].dtype and torch.equal(x.cpu(), b[name]) for name, x in a.items()
    )


@contextmanager
def own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Random numbers of our own inside, of torch, numpy and Python; the caller's untouched outside."""
    before = _randomness(device)
    try:
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.default_generators[_number(device)].manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        yield
    finally:
        _set_randomness(before, device)


def _randomness(device: torch.device) -> dict[str, Any]:
    kind, words, *rest = np.random.get_state()
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "numpy": (kind, torch.from_numpy(np.asarray(words).astype(np.int64)), *rest),
        "python": random.getstate(),
    }


def _set_randomness(state: dict[str, Any], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
    kind, words, *rest = state["numpy"]
    np.random.set_state((kind, words.numpy().astype(np.uint32), *rest))
    random.setstate(state["python"])


def _number(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index
