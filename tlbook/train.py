"""The one training loop: sample, losses, backward, step, schedule, bar, checkpoint."""

from __future__ import annotations

import math
import os
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from tlbook._checks import check_choice
from tlbook._files import whole_file
from tlbook._progress import tqdm, watched
from tlbook.data.domain import Domain
from tlbook.errors import TlbookError
from tlbook.methods.method import Batch, Method, Phase, evaluating, rests

__all__ = ["DivergedError", "History", "adam", "constant", "fit"]

Optimiser = Callable[..., torch.optim.Optimizer]

adam: Optimiser = partial(torch.optim.Adam, lr=1e-3, fused=True)
"""The default optimizer of :func:`fit`: Adam with learning rate 1e-3."""

LOG_LINES, CHECKPOINTS = 100, 20  # how many of each a run has


class DivergedError(TlbookError):
    """A loss term stopped being a finite number; the message names the step and the term."""


@dataclass
class History:
    """What a training run recorded.

    Attributes:
        terms: for each loss term its value at every step, by name.
        seconds: wall time of the steps, over all parts of a run that was interrupted.
        device: where it ran.
        precision: ``"fp32"`` or ``"bf16"``.
    """

    terms: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    device: str = "cpu"
    precision: str = "fp32"

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"terms": self.terms, "seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        self.terms, self.seconds = state["terms"], state["seconds"]

    def smooth(self, term: str, window: int = 20) -> list[float]:
        """The running mean of one term over ``window`` steps, for a curve that one can read.

        Example:
            >>> History({"label": [3.0, 1.0, 2.0]}).smooth("label", window=2)
            [3.0, 2.0, 1.5]
        """
        values = np.cumsum([0.0, *self.terms[term]])
        stop = np.arange(1, len(values))
        start = np.maximum(stop - window, 0)
        means: list[float] = ((values[stop] - values[start]) / (stop - start)).tolist()
        return means


def constant(progress: float) -> float:
    """The default schedule of :func:`fit`: the learning rate stays as it is."""
    return 1.0


def fit(
    method: Method,
    source: Domain,
    target: Domain | None = None,
    *,
    steps: int,
    batch_size: int,
    seed: int = 0,
    optimizer: Optimiser = adam,
    schedule: Callable[[float], float] = constant,
    device: str | torch.device = "auto",
    precision: str = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> History:
    """Train a method, in place.

    Every label of ``target`` is thrown away before the first step, so no method can see one. The data lies on
    the device as it is; the rows of step t depend on ``seed`` and t alone, so a run that is killed and started
    again with the same arguments ends in the same weights, bit for bit.

    In each phase (see :meth:`Method.phases`) the method is in evaluation mode except for what learns, and what the
    phase does not train needs no gradient. A parameter that was frozen beforehand stays frozen; a module of which all
    parameters are frozen rests whole, its batch statistics and its dropout too. At the end, also after an error, the
    modes and the ``requires_grad`` of every part are as they were before, and no gradient is left. The method stays on
    the device.

    Args:
        method: what to train.
        source: the labelled domain; without labels for methods whose ``place`` says that they read none.
        target: the domain to adapt to, for methods that use one.
        steps: how many optimizer steps.
        batch_size: how many rows *of each domain* a step sees.
        seed: of the order of the rows and of dropout. The weights are the method's own: seed them before.
        optimizer: makes an optimizer from the parameters, e.g. ``partial(torch.optim.SGD, lr=0.01)``.
        schedule: the factor on the learning rate as a function of the progress, which runs from 0 to 1.
        device: ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
        precision: ``"fp32"``, ``"bf16"`` (mixed), or ``"auto"``: bf16 where the device has instructions for it.
        checkpoint: a file that keeps the state of the run; where it exists, the run goes on from there.
        progress: show a bar, in a terminal or a notebook.

    Returns:
        The value of every loss term at every step, and the time it took.

    Raises:
        TlbookError: for data that does not fit the method, an unknown device or precision, a checkpoint of
            another run or one that cannot be read or written.
        DivergedError: when a loss term is no longer finite.

    Example:
        >>> from tlbook.data import Domain
        >>> from tlbook.methods import SourceOnly
        >>> _ = torch.manual_seed(0)  # for the data and for the weights
        >>> x = torch.randn(64, 2)
        >>> moons = Domain("half-planes", x, (x[:, 0] > 0).long(), classes=("left", "right"))
        >>> method = SourceOnly(torch.nn.Identity(), torch.nn.Linear(2, 2))
        >>> history = fit(method, moons, steps=100, batch_size=16, seed=0)
        >>> history.smooth("label")[-1] < history.terms["label"][0]
        True
    """
    _import_compiler()
    place, precision = _place(device, precision)
    _check(method, source, target, steps, batch_size, seed)
    source_rows = _Rows(source, batch_size, seed, stream=0, device=place)
    target_rows = _Rows(target.unlabelled(), batch_size, seed, stream=1, device=place) if target is not None else None

    method.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    stretches = _stretches(method, steps)
    learning = [_learning(phase, method) for phase, _, _ in stretches]
    optimizers = [optimizer(parameters) for parameters in learning]
    identity = {
        "method": repr(method),
        "source": repr(source),
        "target": repr(target),
        "steps": steps,
        "batch_size": batch_size,
        "seed": seed,
        "optimizer": ", then ".join(map(repr, optimizers)),
        "precision": precision,
        "phases": [f"{phase.name}, steps {begin} to {end}, rate × {phase.rate}" for phase, begin, end in stretches],
    }
    history = History(device=str(place), precision=precision)
    state: dict[str, Any] = {"method": method, "history": history}
    log_every, save_every = max(1, steps // LOG_LINES), max(1, steps // CHECKPOINTS)
    path = Path(checkpoint) if checkpoint is not None else None
    recent: list[Tensor] = []  # the terms of the steps since the last log line, still on the device

    with _own_randomness(seed, place), _bar(method, steps, progress) as bar:
        first, optimizer_state = _resume(place, path, state, identity) if path else (0, None)
        bar.update(first)
        clock = time.perf_counter() - history.seconds
        for (phase, begin, end), parameters, optim in zip(stretches, learning, optimizers, strict=True):
            if first >= end:
                continue
            if first <= begin:
                phase.start()
            rates = [group["lr"] for group in optim.param_groups]  # before a checkpoint brings those of its step
            if first > begin:
                optim.load_state_dict(optimizer_state or {})
            state["optimizer"] = optim
            with _only(parameters, phase, method):
                for step in range(max(first, begin), end):
                    done = (step - begin) / max(end - begin - 1, 1)
                    for group, rate in zip(optim.param_groups, rates, strict=True):
                        group["lr"] = rate * phase.rate * schedule(done)
                    target_batch = target_rows.batch(step) if target_rows else source_rows.nothing
                    with torch.autocast(place.type, torch.bfloat16, enabled=precision == "bf16"):
                        terms = phase.losses(source_rows.batch(step), target_batch, done)
                    optim.zero_grad()
                    torch.autograd.backward(torch.stack(list(terms.values())).sum())
                    optim.step()

                    recent.append(torch.stack([term.detach() for term in terms.values()]))
                    last = step + 1 == end
                    saves = path is not None and (step + 1 == steps or (step + 1) % save_every == 0)
                    if last or saves or (step + 1) % log_every == 0:
                        _log(history, list(terms), recent, step)
                        history.seconds = time.perf_counter() - clock
                        bar.set_postfix({n: f"{values[-1]:.3f}" for n, values in history.terms.items()}, refresh=False)
                        bar.update(len(recent))
                        recent.clear()
                    if path and saves:
                        _save(place, path, state, identity, step + 1)
    return history


def _stretches(method: Method, steps: int) -> list[tuple[Phase, int, int]]:
    """Each phase with its first step and the step after its last."""
    phases = method.phases()
    if steps < len(phases):
        names = ", ".join(phase.name for phase in phases)
        raise TlbookError(f"steps is {steps}; expected at least one for each phase of {type(method).__name__}: {names}")
    ends = np.cumsum([phase.share for phase in phases])
    cuts = [0, *(int(cut) for cut in np.round(steps * ends / ends[-1]))]
    return [(phase, *cut) for phase, cut in zip(phases, pairwise(cuts), strict=True)]


def _learning(phase: Phase, method: Method) -> list[nn.Parameter]:
    """The parameters that move in a phase, in the method's order."""
    chosen = {p for module in phase.learns for p in module.parameters()}
    learning = [p for p in method.parameters() if p.requires_grad and p in chosen]
    if not learning:
        raise TlbookError(
            f"{type(method).__name__} has no parameter to train in the phase {phase.name!r}; expected at least one "
            "with requires_grad: leave a part of it unfrozen"
        )
    return learning


@contextmanager
def _only(parameters: list[nn.Parameter], phase: Phase, method: Method) -> Iterator[None]:
    """Only these parameters get a gradient inside, and only what learns is in training mode."""
    modes = {module: module.training for module in method.modules()}
    resting = [p for p in method.parameters() if p.requires_grad and all(p is not q for q in parameters)]
    try:
        awake = {module for part in phase.learns for module in part.modules()}
        method.train()  # also where a backbone has a train() of its own, which keeps some of its parts in evaluation
        for module in method.modules():
            if module not in awake:
                module.training = False
            elif rests(module):
                module.eval()
        for p in resting:
            p.requires_grad_(False)
        yield
    finally:
        for p in resting:
            p.requires_grad_(True)
        for p in parameters:
            p.grad = None
        for module, mode in modes.items():
            module.training = mode


class _Rows:
    """Batches of a domain that depend on the seed and the step alone: shuffled passes, one after the other."""

    def __init__(self, domain: Domain, batch_size: int, seed: int, stream: int, device: torch.device) -> None:
        domain = domain.to(device)
        images = domain.x.dim() == 4
        self.x = domain.x.contiguous(memory_format=torch.channels_last) if images else domain.x
        self.y, self.batch_size = domain.y, batch_size
        self.nothing = Batch(self.x[:0])
        order = partial(_order, n=len(self.x), key=(seed, stream), device=self.x.device)
        self.order = lru_cache(maxsize=2)(order)  # not of a method: the circle would keep the rows alive

    def batch(self, step: int) -> Batch:
        n, start = len(self.x), step * self.batch_size
        stop = start + self.batch_size
        turns = range(start // n, (stop - 1) // n + 1)
        index = torch.cat([self.order(t)[max(start - t * n, 0) : stop - t * n] for t in turns])
        return Batch(_take(self.x, index), None if self.y is None else self.y[index])


def _order(turn: int, n: int, key: tuple[int, int], device: torch.device) -> Tensor:
    [state] = np.random.SeedSequence([*key, turn]).generate_state(1)
    return torch.randperm(n, generator=torch.Generator().manual_seed(int(state))).to(device)


def _take(x: Tensor, index: Tensor) -> Tensor:
    if x.dim() != 4:
        return x[index]
    return x.permute(0, 2, 3, 1)[index].permute(0, 3, 1, 2)  # images lie channels last: copy whole rows of bytes


def _log(history: History, names: list[str], recent: list[Tensor], step: int) -> None:
    rows: list[list[float]] = torch.stack(recent).tolist()  # the one synchronisation of a log line
    for number, row in enumerate(rows, start=step + 1 - len(rows)):
        for name, value in zip(names, row, strict=True):
            if not math.isfinite(value):
                raise DivergedError(
                    f"training diverged at step {number}: loss term {name!r} is {value}; expected a finite number: "
                    "lower the learning rate, or look at what goes into that term"
                )
            history.terms.setdefault(name, []).append(value)


def _import_compiler() -> None:
    """What torch imports with the first optimizer; the errors that it catches meanwhile hold on to their callers."""
    with ThreadPoolExecutor(1) as nobody:  # whose rows would stay in memory until the next garbage collection
        nobody.submit(import_module, "torch._dynamo").result()


def _place(device: str | torch.device, precision: str) -> tuple[torch.device, str]:
    """The device, and the precision that "auto" stands for there."""
    count, device = torch.cuda.device_count(), str(device)
    if device == "auto":
        device = "cuda" if count else "cpu"
    kind, _, index = device.partition(":")
    there = ["cpu", *(["cuda"] if count else []), *(f"cuda:{i}" for i in range(count))]
    if device not in there:
        raise TlbookError(f"device is {device!r}; expected 'auto' or one of {there}: this machine has no other")
    check_choice("precision", precision, ("auto", "fp32", "bf16"))
    if precision == "auto":
        precision = "bf16" if _fast_bf16(kind) else "fp32"
    return torch.device("cuda", int(index or 0)) if kind == "cuda" else torch.device("cpu"), precision


def _fast_bf16(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    there = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return there and torch.backends.cpu.get_cpu_capability().startswith("AVX512")  # unless torch is held to older ones


def _check(method: Method, source: Domain, target: Domain | None, steps: int, batch_size: int, seed: int) -> None:
    """Say in one line what does not fit, before the first step fails on it."""
    name = type(method).__name__
    if steps < 1 or batch_size < 1 or seed < 0:
        raise TlbookError(
            f"steps is {steps}, batch_size {batch_size}, seed {seed}; expected the first two at least 1, the seed at "
            "least 0"
        )
    reads_labels = not hasattr(method, "place") or method.place.source_labels
    if reads_labels and source.y is None:
        raise TlbookError(
            f"source {source.name!r} has no labels; expected a labelled domain: give the unlabelled one as target="
        )
    if target is not None and target.x.shape[1:] != source.x.shape[1:]:
        raise TlbookError(
            f"source rows have shape {tuple(source.x.shape[1:])}, target rows {tuple(target.x.shape[1:])}; expected "
            "the same shape: bring images to one form with .images(channels=3, size=28)"
        )
    if target is not None and len(target.classes) != len(source.classes):
        raise TlbookError(
            f"source {source.name!r} has {len(source.classes)} classes, target {target.name!r} {len(target.classes)}; "
            "expected the same names in both, also where some do not occur: .subset keeps them"
        )
    trained = [p for p in method.parameters() if p.requires_grad]
    if not trained:
        raise TlbookError(
            f"{name} has no parameter to train; expected at least one with requires_grad: leave a part unfrozen"
        )
    try:
        with torch.no_grad(), evaluating(method), _own_randomness(seed, trained[0].device):
            logits = method(source.x[:2].to(trained[0].device))
    except TlbookError:
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        rows = f"{tuple(source.x.shape[1:])} and type {source.x.dtype}"
        raise TlbookError(
            f"{name} cannot read rows of shape {rows} ({str(error).splitlines()[0]}); expected features made for such "
            "rows: change their input width, or the rows' type"
        ) from error
    if reads_labels and logits.shape[1:] != (len(source.classes),):
        raise TlbookError(
            f"the label head gives {tuple(logits.shape[1:])} logits a row, source {source.name!r} has "
            f"{len(source.classes)} classes; expected one logit a class: change the head's last layer"
        )


def _resume(device: torch.device, checkpoint: Path, state: dict[str, Any], identity: dict[str, Any]) -> tuple[int, Any]:
    """Load an interrupted run into ``state``; give the step to go on from, and the state of that phase's optimizer."""
    if not checkpoint.parent.is_dir():
        raise TlbookError(f"checkpoint {checkpoint} is in no folder that is there; expected one: make it first")
    if not checkpoint.exists():
        return 0, None
    try:
        saved = dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
        before = saved["identity"]
    except Exception as error:  # a broken file makes torch.load raise almost anything
        raise TlbookError(
            f"checkpoint {checkpoint} cannot be read ({type(error).__name__}); expected one that fit wrote: delete it, "
            "or give another file"
        ) from error
    if changed := [key for key in identity if before.get(key) != identity[key]]:
        was, asked = (textwrap.shorten(f"{changed[0]} {run.get(changed[0])}", 200) for run in (before, identity))
        raise TlbookError(
            f"checkpoint {checkpoint} is of another run, with {was}; asked for is {asked}: delete it, or give another "
            "file"
        )
    for name, part in state.items():
        part.load_state_dict(saved[name])
    torch.set_rng_state(saved["randomness"]["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(saved["randomness"]["cuda"], device)
    return saved["step"], saved["optimizer"]


def _save(device: torch.device, checkpoint: Path, state: dict[str, Any], identity: dict[str, Any], step: int) -> None:
    """Write all that the rest of the run depends on."""
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    whole = {name: part.state_dict() for name, part in state.items()}
    whole |= {"step": step, "identity": identity, "randomness": {"cpu": torch.get_rng_state(), "cuda": cuda}}
    with whole_file(checkpoint) as file:
        torch.save(whole, file)


def _bar(method: Method, steps: int, progress: bool) -> tqdm[NoReturn]:
    """A bar where somebody watches: in a terminal or a live notebook; TQDM_DISABLE=1 silences both."""
    silent = not progress or not watched() or os.environ.get("TQDM_DISABLE", "") not in ("", "0")
    return tqdm(total=steps, desc=type(method).__name__, disable=silent)


@contextmanager
def _own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Random numbers of our own inside, the caller's untouched outside."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
