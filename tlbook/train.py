"""The one training loop: sample, losses, backward, step, schedule, bar, checkpoint."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from tlbook._checkpoint import Checkpoint, Stateful, identity, own_randomness
from tlbook._checks import check_choice, check_number, check_whole, shown
from tlbook._fit_checks import both_domains, check_domains, check_method, check_pixels, check_validation
from tlbook._progress import tqdm, watched
from tlbook._sampler import Sampler
from tlbook.data.domain import Domain
from tlbook.errors import TlbookError
from tlbook.methods.method import Batch, Method, Phase, parts_of, rests
from tlbook.nets import classify_as

__all__ = ["DivergedError", "History", "adam", "constant", "fit", "gan_adam"]

Optimiser = Callable[..., torch.optim.Optimizer]
Augment = Callable[[Tensor], Tensor]

adam: Optimiser = partial(torch.optim.Adam, lr=1e-3, fused=True)
"""The default optimizer of :func:`fit`: Adam with learning rate 1e-3."""
gan_adam: Optimiser = partial(adam, betas=(0.5, 0.999))
"""The same with a smaller β₁, as is usual where two play against each other."""

LOG_LINES, CHECKPOINTS = 100, 20  # how many of each a run has


class DivergedError(TlbookError):
    """A loss term or a weight stopped being a finite number; the message names the step and which."""


@dataclass(repr=False)
class History:
    """What a training run recorded; a notebook shows it as a line with the last values.

    Attributes:
        terms: for each loss term its value at every step, by name.
        validation: the accuracy on the rows to validate on, 0 … 1, by the number of steps done; one a log line.
        seconds: wall time of the steps, over all parts of a run that was interrupted.
        device: where it ran.
        precision: ``"fp32"`` or ``"bf16"``.

    Example:
        >>> History({"label": [2.0, 0.5]}, seconds=1.5)
        History of 2 steps: at the end label 0.5; 1.5 s on cpu in fp32
    """

    terms: dict[str, list[float]] = field(default_factory=dict)
    validation: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    device: str = "cpu"
    precision: str = "fp32"

    def __repr__(self) -> str:
        ends = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.terms.items() if values)
        steps = max(map(len, self.terms.values()), default=0)
        at_the_end = f"at the end {ends}; " if ends else ""
        return f"History of {steps} steps: {at_the_end}{self.seconds:.1f} s on {self.device} in {self.precision}"

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"terms": self.terms, "validation": self.validation, "seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        self.terms, self.validation, self.seconds = state["terms"], state["validation"], state["seconds"]

    def smooth(self, term: str, window: int = 20) -> list[float]:
        """The running mean of one term over ``window`` steps, for a curve that one can read.

        Raises:
            TlbookError: for a term that there is not, or a window below 1.

        Example:
            >>> History({"label": [3.0, 1.0, 2.0]}).smooth("label", window=2)
            [3.0, 2.0, 1.5]
        """
        values = self.terms[check_choice("term", term, list(self.terms))]
        check_whole("window", window, at_least=1)
        windows = (values[max(0, stop - window) : stop] for stop in range(1, len(values) + 1))
        return [math.fsum(part) / len(part) for part in windows]  # exact: no sum grows over the whole run


class Best:
    """The weights with the highest accuracy on the rows to validate on, and how many log lines ago that was."""

    def __init__(self, method: Method) -> None:
        self.method, self.accuracy, self.age = method, -1.0, 0
        self.weights: dict[str, Tensor] = {}

    def hear(self, accuracy: float) -> None:
        """Look at one more log line."""
        self.age += 1
        if accuracy > self.accuracy:
            self.accuracy, self.age = accuracy, 0
            self.weights = {name: value.detach().clone() for name, value in self.method.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"weights": self.weights, "accuracy": self.accuracy, "age": self.age}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        self.weights, self.accuracy, self.age = state["weights"], state["accuracy"], state["age"]


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
    clip: float | None = None,
    augment: Augment | Mapping[str, Augment] | None = None,
    validate: Domain | None = None,
    patience: int | None = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> History:
    """Train a method, in place.

    Every label of ``target`` is thrown away before the first step, so no method can see one. Rows in memory lie on the
    device as they are, rows on disk are read ahead; the rows of step t depend on ``seed`` and t alone, so a run that is
    killed and started again with the same arguments ends in the same weights, bit for bit.

    In each phase (see :meth:`Method.phases`) the method is in evaluation mode except for what learns, and what the
    phase does not train needs no gradient. A parameter that was frozen beforehand stays frozen; a module of which all
    parameters are frozen rests whole, its batch statistics and its dropout too. At the end, also after an error, the
    modes and the ``requires_grad`` of every part are as they were before, and no gradient is left; after an error with
    a checkpoint the weights are those of the checkpoint. The method stays on the device.

    Args:
        method: what to train.
        source: the labelled domain; without labels for methods whose ``place`` says that they read none.
        target: the domain to adapt to, for methods that use one.
        steps: how many optimizer steps.
        batch_size: how many rows *of each domain* a step sees.
        seed: of the order of the rows, of dropout and of ``augment``. The weights are the method's own: seed them
            before.
        optimizer: makes an optimizer, e.g. ``partial(torch.optim.SGD, lr=0.01)``, from groups of parameters, one for
            each part of the method, ``{"params": [...], "name": "features"}``.
        schedule: the factor on the learning rate as a function of the progress, which runs from 0 to 1; at least 0.
        clip: the greatest norm of the gradient of all that learns, above 0; longer ones are cut to it.
        augment: changes each batch of training images, of both domains; or a dictionary with a function for
            ``"source"``, for ``"target"`` or for both. A transform of torchvision is called image by image. Random
            numbers of torch, numpy and Python are drawn from ``seed``. Never used in evaluation.
        validate: labelled rows *of the source* that are not trained on; their accuracy is recorded a hundred times.
        patience: stop when the accuracy on ``validate`` has not risen for so many records, at least 1, and put back the
            weights of the highest; for methods of one phase. None trains to the end and keeps the last weights.
        device: ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``, or a ``torch.device``.
        precision: ``"fp32"``, ``"bf16"`` (mixed), or ``"auto"``: bf16 where the device has instructions for it.
        checkpoint: a file that keeps the state of the run; where it exists, the run goes on from there. All that the
            result depends on is compared by value: settings, code, data, the weights at the start.
        progress: show a bar, in a terminal or a notebook.

    Returns:
        The value of every loss term at every step, and the time it took.

    Raises:
        TlbookError: for arguments that mean nothing, data that does not fit the method, an unknown device or precision,
            losses that are no dictionary of scalars, a checkpoint of another run or one that cannot be read or written.
        DivergedError: when a loss term or a weight is no longer finite.

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

        Ten times the learning rate for the head, as in the protocols of Office:

        >>> def tenfold_head(groups):
        ...     rates = {"features": 0.001, "label_head": 0.01}
        ...     return torch.optim.SGD([{**group, "lr": rates[group["name"]]} for group in groups], momentum=0.9)
        >>> history = fit(method, moons, steps=100, batch_size=16, optimizer=tenfold_head)
    """
    _import_compiler()
    place, precision = _place(device, precision)
    _check_numbers(steps, batch_size, seed, clip, patience, validate, checkpoint)
    phases = method.phases() if isinstance(method, Method) else ()
    check_domains(method, source, target, phases)
    check_pixels(method, source, *([target] if target is not None else []))
    check_method(method, source, phases, steps, seed)
    _check_callables(optimizer, schedule, patience, phases, method)
    if validate is not None:
        check_validation(method, validate, source, target)
        check_pixels(method, validate)
    changes = _augments(augment, target)
    target = target.unlabelled() if target is not None else None

    method.to(place)
    for tensor in (*method.parameters(), *method.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.to(memory_format=torch.channels_last)
    stretches = _stretches(phases, steps)
    learning = [_learning(phase, method) for phase in phases]
    optimizers = [_made(optimizer, parts_of(method, parameters)) for parameters in learning]
    history, best = History(device=str(place), precision=precision), Best(method)
    log_every, save_every = max(1, steps // LOG_LINES), max(1, steps // CHECKPOINTS)
    recent: list[Tensor] = []  # the terms of the steps since the last log line, still on the device
    kept: Checkpoint | None = None
    if checkpoint is not None:
        settings: dict[str, object] = {"steps": steps, "batch_size": batch_size, "seed": seed, "precision": precision}
        settings |= {"device": place.type, "clip": clip, "patience": patience}
        functions: dict[str, Callable[..., Any]] = {"schedule": schedule}
        functions |= {f"augment of the {domain}": change for domain, change in changes.items()}
        told = identity(
            method,
            {"source": source, "target": target, "validate": validate},
            stretches,
            optimizers,
            functions,
            settings,
        )
        state: dict[str, Stateful] = {"history": history, "best": best}
        kept = Checkpoint(checkpoint, told, method, state, place)

    sampler = partial(Sampler, batch_size=batch_size, seed=seed, steps=steps, device=place)
    with (
        sampler(source, stream=0) as source_rows,
        sampler(target, stream=1) if target is not None else nullcontext() as target_rows,
        own_randomness(seed, place),
        _consistent(method, kept),
        _bar(method, steps, progress) as bar,
        torch.enable_grad(),
    ):
        first, optimizer_state = kept.resume() if kept else (0, {})
        if kept and not first:
            kept.save(0, optimizers[0])
        bar.update(first)
        clock = time.perf_counter() - history.seconds
        for (phase, begin, end), parameters, optim in zip(stretches, learning, optimizers, strict=True):
            if first >= end:
                continue
            if first <= begin:
                phase.start()
            rates = [group["lr"] for group in optim.param_groups]  # before a checkpoint brings those of its step
            if first > begin:
                optim.load_state_dict(optimizer_state)
            with _only(parameters, phase, method):
                for step in range(max(first, begin), end):
                    done = (step - begin) / max(end - begin - 1, 1)
                    factor = phase.rate * check_number("the schedule's factor", schedule(done), at_least=0)
                    for group, rate in zip(optim.param_groups, rates, strict=True):
                        group["lr"] = rate * factor
                    source_batch = _changed(source_rows.batch(step), changes.get("source"))
                    target_batch = source_rows.nothing
                    if target_rows is not None:
                        target_batch = _changed(target_rows.batch(step), changes.get("target"))
                    terms = _terms(method, phase, source_batch, target_batch, done, place, precision, step == begin)
                    optim.zero_grad()
                    torch.autograd.backward(torch.stack(list(terms.values())).sum())
                    if clip is not None:
                        nn.utils.clip_grad_norm_(parameters, clip)
                    optim.step()

                    recent.append(torch.stack([term.detach() for term in terms.values()]))
                    last = step + 1 == end
                    logs = last or (step + 1) % log_every == 0
                    saves = kept is not None and (step + 1 == steps or (step + 1) % save_every == 0)
                    if logs or saves:
                        _log(history, list(terms), recent, step)
                        bar.set_postfix({n: f"{values[-1]:.3f}" for n, values in history.terms.items()}, refresh=False)
                        bar.update(len(recent))
                        recent.clear()
                    if last or saves:
                        _check_weights(method, parameters, step)
                    stops = False
                    if logs and validate is not None:
                        history.validation[step + 1] = accuracy = _accuracy(method, validate, place)
                        if patience is not None:
                            best.hear(accuracy)
                            stops = best.age >= patience
                            if stops or step + 1 == steps:
                                method.load_state_dict(best.weights)
                    if logs or saves:
                        history.seconds = time.perf_counter() - clock
                    if kept and (saves or stops):
                        kept.save(steps if stops else step + 1, optim)
                    if stops:
                        break
    return history


def _stretches(phases: Sequence[Phase], steps: int) -> list[tuple[Phase, int, int]]:
    """Each phase with its first step and the step after its last; each has one step at least."""
    ends = np.cumsum([phase.share for phase in phases])
    cuts = [0]
    for after, cut in enumerate(np.round(steps * ends / ends[-1]), start=1 - len(phases)):
        cuts.append(min(max(int(cut), cuts[-1] + 1), steps + after))
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


@contextmanager
def _consistent(method: Method, kept: Checkpoint | None) -> Iterator[None]:
    """After an error, Ctrl-C too, the method has the weights of the checkpoint, where there is one."""
    try:
        yield
    except BaseException:
        if kept is not None:
            with suppress(TlbookError):  # what stopped the run is what is said
                kept.put_back()
        raise


def _terms(
    method: Method,
    phase: Phase,
    source: Batch,
    target: Batch,
    done: float,
    place: torch.device,
    precision: str,
    first: bool,
) -> dict[str, Tensor]:
    """The terms of one step, of which each is a scalar and one at least leads to what learns."""
    name = type(method).__name__
    try:
        with (
            torch.autocast(place.type, torch.bfloat16, enabled=precision == "bf16"),
            both_domains(method, source, target) if first else nullcontext(),
        ):
            terms = phase.losses(source, target, done)
    except (TlbookError, torch.OutOfMemoryError):
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, KeyError) as error:
        if not first:
            raise
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise TlbookError(
            f"the losses of {name} cannot be computed in the phase {phase.name!r} for {len(source.x)} source and "
            f"{len(target.x)} target rows ({why:.200}); expected a network that takes them in training mode: batch "
            "normalisation needs two rows or more, a head the width of its features, a backbone to be built without "
            "auxiliary outputs (aux_logits=False)"
        ) from error
    if not isinstance(terms, dict) or not terms:
        given = "an empty dictionary" if isinstance(terms, dict) else type(terms).__name__
        raise TlbookError(f"the losses of {name} are {given}; expected a dictionary of the terms to minimise, by name")
    for term, value in terms.items():
        if not isinstance(value, Tensor) or value.dim() != 0:
            given = f"of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise TlbookError(
                f"loss term {term!r} of {name} is {given}; expected a scalar tensor: take the mean over the batch"
            )
    if not any(value.requires_grad for value in terms.values()):
        raise TlbookError(
            f"no loss term of {name} in the phase {phase.name!r} depends on what learns there; expected a gradient: "
            "leave out no_grad and detach, or let another part learn"
        )
    return terms


def _changed(batch: Batch, augment: Augment | None) -> Batch:
    """A batch whose rows were changed at random."""
    if augment is None:
        return batch
    with torch.no_grad():
        x = augment(batch.x)
    if not isinstance(x, Tensor) or len(x) != len(batch.x):
        given = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise TlbookError(
            f"augment gives {given} for rows of shape {tuple(batch.x.shape)}; expected as many rows: let it take a "
            "batch N×… and return one"
        )
    return Batch(x, batch.y)


def _accuracy(method: Method, validate: Domain, place: torch.device) -> float:
    """On rows of the source, whose statistics are used; no random number of the training is drawn."""
    from tlbook.evaluate import accuracy  # brings scikit-learn

    with own_randomness(0, place), classify_as(method, "source"):
        return accuracy(method, validate)


def _check_weights(method: Method, parameters: list[nn.Parameter], step: int) -> None:
    """The last update is in no loss: look at what it made of the weights."""
    finite = torch.stack([p.detach().isfinite().all() for p in parameters])
    if not bool(finite.all()):
        broken = parameters[finite.tolist().index(False)]
        name = next(name for name, p in method.named_parameters() if p is broken)
        raise DivergedError(
            f"training diverged at step {step}: after it the weights {name} are not finite; expected finite numbers: "
            "lower the learning rate, or look at the schedule"
        )


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
    if not isinstance(device, str | torch.device):
        raise TlbookError(f"device is {shown(device)}; expected 'auto', 'cpu' or 'cuda'")
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


def _check_numbers(
    steps: int,
    batch_size: int,
    seed: int,
    clip: float | None,
    patience: int | None,
    validate: Domain | None,
    checkpoint: object,
) -> None:
    check_whole("steps", steps, at_least=1)
    check_whole("batch_size", batch_size, at_least=1)
    check_whole("seed", seed, at_least=0, at_most=2**63 - 1)
    if clip is not None:
        check_number("clip", clip, above=0, hint="None cuts no gradient")
    if checkpoint is not None and not isinstance(checkpoint, str | os.PathLike):
        raise TlbookError(f"checkpoint is {shown(checkpoint)}; expected the path of a file, or None")
    if patience is not None:
        check_whole("patience", patience, at_least=1, hint="None trains to the end")
        if validate is None:
            raise TlbookError(
                f"patience is {patience} without rows to validate on; expected validate=, labelled rows of the source: "
                "take some with source.split(0.9, seed=0)"
            )


def _check_callables(
    optimizer: object, schedule: object, patience: int | None, phases: Sequence[Phase], method: Method
) -> None:
    if not callable(optimizer):
        raise TlbookError(
            f"optimizer is a {type(optimizer).__name__}; expected a function that makes one from groups of parameters: "
            "give partial(torch.optim.SGD, lr=0.01)"
        )
    if not callable(schedule):
        raise TlbookError(
            f"schedule is {shown(schedule)}; expected a function from the progress 0 … 1 to a factor on the learning "
            "rate: give lambda p: 1 - p"
        )
    if patience is not None and len(phases) > 1:
        names = ", ".join(phase.name for phase in phases)
        raise TlbookError(
            f"patience is {patience} and {type(method).__name__} has the phases {names}; expected a method of one "
            "phase: leave it out"
        )


def _made(optimizer: Optimiser, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The optimizer of a phase."""
    try:
        made = optimizer(groups)
    except (TypeError, ValueError) as error:
        raise TlbookError(
            f"optimizer cannot be made ({str(error).splitlines()[0]:.200}); expected a function of groups of "
            "parameters, {'params': […], 'name': 'features'} and so on: give partial(torch.optim.SGD, lr=0.01)"
        ) from error
    if not isinstance(made, torch.optim.Optimizer) or isinstance(made, torch.optim.LBFGS):
        raise TlbookError(
            f"optimizer makes a {type(made).__name__}; expected an optimizer of torch that takes one step a batch, "
            "such as torch.optim.SGD"
        )
    return made


def _augments(augment: Augment | Mapping[str, Augment] | None, target: Domain | None) -> dict[str, Augment]:
    """What changes the batches of each domain."""
    if augment is None:
        return {}
    domains = ("source",) if target is None else ("source", "target")
    given = dict(augment) if isinstance(augment, Mapping) else dict.fromkeys(domains, augment)
    if set(given) - set(domains) or not given or not all(map(callable, given.values())):
        raise TlbookError(
            f"augment is {shown(augment)}; expected a function of a batch of images, or one for each of "
            f"{' and '.join(map(repr, domains))} in a dictionary"
        )
    from tlbook.methods.self_supervised import per_image  # brings torchvision

    return {domain: per_image(change) for domain, change in given.items()}


def _bar(method: Method, steps: int, progress: bool) -> tqdm[NoReturn]:
    """A bar where somebody watches: in a terminal or a live notebook; TQDM_DISABLE=1 silences both."""
    return tqdm(total=steps, desc=type(method).__name__, disable=not (progress and watched()))
