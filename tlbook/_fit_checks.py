"""What :func:`tlbook.fit` refuses before its first step, a line each."""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tlbook._checkpoint import own_randomness
from tlbook._checks import check_number, check_whole
from tlbook.data.domain import Domain, check_domain
from tlbook.data.ranges import check_range
from tlbook.errors import TlbookError
from tlbook.methods.method import Batch, Method, Phase, evaluating
from tlbook.nets import DomainBatchNorm, Pixels

__all__ = ["both_domains", "check_domains", "check_method", "check_pixels", "check_validation", "reads_labels"]


def reads_labels(method: Method) -> bool:
    """Whether the source must be labelled, which is so unless the method's place says otherwise."""
    return not hasattr(method, "place") or method.place.source_labels


def check_domains(method: Method, source: Domain, target: Domain | None, phases: Sequence[Phase]) -> None:
    """Say in one line which domain is none, is missing, is never read, or does not fit to the other.

    Raises:
        TlbookError: for each of these.
    """
    name = type(method).__name__
    if not isinstance(method, Method):
        raise TlbookError(
            f"method is a {name}; expected one of tlbook.methods, or a subclass of Method: for plain supervised "
            "training take SourceOnly(features, label_head)"
        )
    check_domain("source", source)
    if reads_labels(method) and source.y is None:
        raise TlbookError(
            f"source {source.name!r} has no labels; expected a labelled domain: give the unlabelled one as target="
        )
    if target is None:
        if hasattr(method, "place") and method.place.needs_target:
            raise TlbookError(f"no unlabelled rows are given to {name}; expected some to adapt to: give fit a target")
        return
    check_domain("target", target)
    compares = hasattr(method, "place") and (type(method).place.needs_target or method.place.target_labels == "none")
    if not compares and not any(_reads_target(phase.losses) for phase in phases):
        raise TlbookError(
            f"{name} never looks at a target and {target.name!r} is given as one; expected None: give labelled rows to "
            "learn from as the source, or take a method that adapts, such as DANN"
        )
    if target.x.shape[1:] != source.x.shape[1:]:
        raise TlbookError(
            f"source rows have shape {tuple(source.x.shape[1:])}, target rows {tuple(target.x.shape[1:])}; expected "
            "the same shape: bring images to one form with .images(channels=3, size=28)"
        )
    if target.x.dtype != source.x.dtype:
        raise TlbookError(
            f"source rows are {source.x.dtype}, target rows {target.x.dtype}; expected the same type, and with it the "
            "same range: images as uint8 0…255 both, or both as floats 0…1 (x.float() / 255)"
        )
    if target.classes != source.classes:
        ours, theirs = (", ".join(map(str, domain.classes)) for domain in (source, target))
        if len(target.classes) != len(source.classes):
            ours, theirs = f"{len(source.classes)} classes", f"{len(target.classes)}"
        raise TlbookError(
            f"source {source.name!r} has {ours:.80}, target {target.name!r} {theirs:.80}; expected the same names in "
            "the same order, also where some do not occur (.subset keeps them): make both with the same classes="
        )


def check_pixels(method: Method, *domains: Domain) -> None:
    """Say in one line which domain has floats outside 0 … 1 where a part of the method reads pixels.

    Raises:
        TlbookError: for these.
    """
    if any(isinstance(module, Pixels) for module in method.modules()):
        for domain in domains:
            for rows in domain.batches(1000) if domain.x.dtype.is_floating_point else ():
                check_range(f"the domain {domain.name!r}", rows)


def check_validation(method: Method, validate: Domain, source: Domain, target: Domain | None) -> None:
    """Say in one line when the domain to validate on is not more rows of the source.

    Raises:
        TlbookError: for rows of the target, unlabelled rows, and rows that do not fit to the source's.
    """
    check_domain("validate", validate)
    if target is not None and (
        validate.x is target.x
        or (validate.name == target.name and source.name != target.name)
        or _same(validate, target)
    ):
        raise TlbookError(
            f"validate is the target {target.name!r}; expected labelled rows of the source, since no target label may "
            "choose: take a part of it with source.split(0.9, seed=0)"
        )
    if validate.y is None or not reads_labels(method):
        whose = "validate has no labels" if validate.y is None else f"{type(method).__name__} reads no labels"
        raise TlbookError(f"{whose}; expected labelled rows and a method that gives class logits: leave out validate=")
    forms = [(tuple(domain.x.shape[1:]), domain.x.dtype, domain.classes) for domain in (validate, source)]
    if forms[0] != forms[1]:
        raise TlbookError(
            f"validate is {validate!r}, the source {source!r}; expected rows of one shape and type with the same "
            "classes: take a part of the source with source.split(0.9, seed=0)"
        )


def check_method(method: Method, source: Domain, phases: Sequence[Phase], steps: int, seed: int) -> None:
    """Say in one line when nothing is trained, or the network does not take the source's rows.

    Raises:
        TlbookError: for these.
    """
    name = type(method).__name__
    if not phases:
        raise TlbookError(f"{name} has no phases; expected one or more: let phases() return a tuple of Phase")
    for phase in phases:
        check_number(f"share of the phase {phase.name!r}", phase.share, above=0, hint="leave it out of phases()")
        check_number(f"rate of the phase {phase.name!r}", phase.rate, above=0, hint="1 keeps the learning rate")
    names = ", ".join(phase.name for phase in phases)
    check_whole("steps", steps, at_least=len(phases), hint=f"at least one for each phase of {name}: {names}")
    parameters = list(method.parameters())
    if not any(p.requires_grad for p in parameters):
        raise TlbookError(
            f"{name} has no parameter to train; expected at least one with requires_grad: leave a part unfrozen"
        )
    rows = source.x[:2].to(parameters[0].device)
    with torch.no_grad(), evaluating(method), own_randomness(seed, parameters[0].device):
        try:
            logits = method(rows)
        except TlbookError:
            raise
        except Exception as error:
            raise _cannot_read(method, rows, error) from error
    if not isinstance(logits, Tensor):
        raise TlbookError(
            f"{name} gives a {type(logits).__name__} for a batch of rows; expected a tensor of logits N×K: wrap the "
            "network in a module that returns that one"
        )
    if len(logits) != len(rows):
        raise TlbookError(
            f"{name} gives {tuple(logits.shape)} for {len(rows)} rows; expected one row of outputs for each row"
        )
    if reads_labels(method) and logits.shape[1:] != (len(source.classes),):
        raise TlbookError(
            f"the label head gives {tuple(logits.shape[1:])} logits a row, source {source.name!r} has "
            f"{len(source.classes)} classes; expected one logit a class: change the head's last layer"
        )


@contextmanager
def both_domains(method: Method, source: Batch, target: Batch) -> Iterator[None]:
    """Inside, each layer that takes half of its rows for the target's is given the rows of both domains.

    Args:
        method: in the modes of its training.
        source: the batch of a step.
        target: the same of the target; empty where there is none.

    Raises:
        TlbookError: for a :class:`tlbook.nets.DomainBatchNorm` in training mode that is given other rows.
    """
    names: dict[nn.Module, str] = {
        part: name for name, part in method.named_modules() if isinstance(part, DomainBatchNorm)
    }

    def look(layer: nn.Module, given: tuple[Any, ...]) -> None:
        if layer.training and (not len(target.x) or len(given[0]) % (len(source.x) + len(target.x))):
            raise TlbookError(
                f"{names[layer]} of {type(method).__name__} is a DomainBatchNorm and is given {len(given[0])} rows, of "
                f"a batch of {len(source.x)} source and {len(target.x)} target rows; expected both domains in one: "
                "take nn.BatchNorm2d there"
            )

    hooks = [layer.register_forward_pre_hook(look) for layer in names]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _same(a: Domain, b: Domain) -> bool:
    if a.x.shape != b.x.shape or a.x.dtype != b.x.dtype:
        return False
    return all(torch.equal(x.cpu(), y.cpu()) for x, y in zip(a.batches(1000), b.batches(1000), strict=True))


def _reads_target(losses: Callable[..., Any]) -> bool:
    """Whether a phase's losses look at their second argument; where their code is not Python's, they may."""
    given, skipped = losses, 0
    while isinstance(given, partial):
        skipped += len(given.args)
        given = given.func
    skipped += hasattr(given, "__self__")
    code = getattr(getattr(given, "__func__", given), "__code__", None)
    if code is None or skipped + 1 >= code.co_argcount:
        return True
    target = code.co_varnames[skipped + 1]
    return target in code.co_cellvars or any(
        instruction.opname.startswith("LOAD") and target in _names(instruction.argval)
        for instruction in dis.get_instructions(code)
    )


def _names(argument: Any) -> tuple[Any, ...]:
    return argument if isinstance(argument, tuple) else (argument,)  # from 3.13 on, two are loaded at once


def _cannot_read(method: Method, rows: Tensor, error: Exception) -> TlbookError:
    """Which part of the method does not take what it is given."""
    name, why = type(method).__name__, (str(error).splitlines() or [type(error).__name__])[0]
    try:
        features: Any = method.features(rows)
    except Exception:
        return TlbookError(
            f"{name} cannot read rows of shape {tuple(rows.shape[1:])} and type {rows.dtype} ({why:.200}); expected "
            "features made for such rows: change their input width, or the rows' type"
        )
    if not isinstance(features, Tensor):
        return TlbookError(
            f"the features give a {type(features).__name__}; expected a tensor N×D: wrap the backbone in a module that "
            "returns that one"
        )
    return TlbookError(
        f"the label head cannot read features of shape {tuple(features.shape[1:])} a row ({why:.200}); expected as "
        "many as its first layer takes: change its width, or end the features in torch.nn.Flatten()"
    )
