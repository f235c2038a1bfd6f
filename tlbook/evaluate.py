"""How well a method does, and how far apart two domains are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from tlbook._arrays import as_array
from tlbook._checks import check_function, check_list, check_module, check_number, check_whole
from tlbook.data.domain import Domain, check_domain
from tlbook.data.ranges import check_range
from tlbook.errors import TlbookError
from tlbook.nets import Pixels, classify_as
from tlbook.probe import proxy_a_distance

__all__ = [
    "accuracy",
    "apply",
    "features_of",
    "harmonic_mean",
    "logits_of",
    "predict",
    "proxy_a_distance",
    "transfer_matrix",
]

Statistics = Literal["source", "target"] | None
BATCH_NUMBERS = 4 * 2**20  # of the inputs of a batch


def apply(module: nn.Module, x: Tensor | NDArray[Any] | Domain, batch_size: int | None = None) -> Tensor:
    """A module's outputs on all rows, in evaluation mode, without gradients, on the module's device.

    Args:
        module: any module, e.g. ``method`` for logits or ``method.features`` for features.
        x: N rows, or the domain that has them; of a domain on disk a batch at a time is read.
        batch_size: how many rows at a time; None takes 1,000 small ones, and fewer where a thousand would be more than
            4 MiB of bytes, or 16 of floats: 27 images of 3×224×224.

    Returns:
        N rows of outputs, on the CPU.

    Raises:
        TlbookError: when there are no rows, rows or outputs are not finite, or the outputs are not one tensor with a
            row for each row of x.

    Example:
        >>> apply(nn.Flatten(), torch.zeros(3, 2, 2)).shape
        torch.Size([3, 4])
    """
    check_module("module", module, "a torch module, such as method.features")
    if isinstance(x, np.ndarray) and x.dtype.kind not in "biuf":
        raise TlbookError(f"x is an array of {x.dtype}; expected numbers: convert it with x.astype(float)")
    rows = x.x if isinstance(x, Domain) else torch.from_numpy(x) if isinstance(x, np.ndarray) else x
    if not hasattr(rows, "shape") or not hasattr(rows, "device") or len(rows.shape) < 1 or rows.shape[0] == 0:
        given = tuple(rows.shape) if isinstance(rows, Tensor) else type(rows).__name__
        raise TlbookError(f"x is {given}; expected a tensor of one or more rows, or a domain: see Domain.from_arrays")
    numbers = max(1, math.prod(rows.shape[1:]))
    size = max(1, min(1000, BATCH_NUMBERS // numbers))
    if batch_size is not None:
        size = check_whole("batch_size", batch_size, at_least=1)
    device = next((t.device for t in (*module.parameters(), *module.buffers())), rows.device)
    modes = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            starts = range(0, rows.shape[0], size)
            return torch.cat([_outputs(module, rows[start : start + size], device, start) for start in starts])
    finally:
        for m, training in modes.items():
            m.training = training


def _outputs(module: nn.Module, rows: Tensor, device: torch.device, start: int) -> Tensor:
    if rows.is_floating_point():
        _check_rows("x", rows.isfinite(), start, "drop such rows, or look for a division by 0 in what made them")
        if any(isinstance(part, Pixels) for part in module.modules()):
            check_range("x", rows)
    try:
        outputs = module(rows.to(device))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, TlbookError | torch.OutOfMemoryError):
            raise
        raise TlbookError(
            f"{type(module).__name__} cannot read rows of {tuple(rows.shape[1:])} {rows.dtype} on {device}: "
            f"{' '.join(str(error).split())[:200]}; expected rows as in training: check their shape, type and device"
        ) from error
    if not isinstance(outputs, Tensor) or outputs.shape[:1] != rows.shape[:1]:
        given = f"shape {tuple(outputs.shape)}" if isinstance(outputs, Tensor) else type(outputs).__name__
        raise TlbookError(
            f"{type(module).__name__} gives {given} for {len(rows)} rows; expected one tensor with a row for each: "
            "wrap the module in one that returns the tensor you mean"
        )
    outputs = outputs.cpu()
    if outputs.is_floating_point() and outputs.numel():
        flat = outputs.reshape(len(outputs), -1)  # a logit of minus infinity rules a class out; not all of them
        known = (flat < math.inf) & (flat.amax(dim=1, keepdim=True) > -math.inf)
        _check_rows("the output", known, start, "look for NaN in the weights, or too large a learning rate")
    return outputs


def _check_rows(what: str, good: Tensor, start: int, hint: str) -> None:
    good = good.reshape(len(good), -1).all(dim=1)
    if not good.all():
        row = start + int(good.long().argmin())
        raise TlbookError(
            f"{what} is not finite in {int((~good).sum())} row(s), first in row {row}; expected finite: {hint}"
        )


def features_of(
    method: nn.Module, domain: Domain, batch_size: int | None = None, statistics: Statistics = None
) -> Tensor:
    """The features that the method computes for each row, flattened: N×D on the CPU.

    Args:
        method: anything with ``features``.
        domain: N rows, labelled or not.
        batch_size: as for :func:`apply`.
        statistics: as for :func:`accuracy`.

    Raises:
        TlbookError: when the method has no features; otherwise as :func:`apply`.

    Example:
        >>> from tlbook.methods import SourceOnly
        >>> rows = Domain("rows", torch.zeros(3, 2, 2), None, ("a", "b"))
        >>> features_of(SourceOnly(nn.Flatten(), nn.Linear(4, 2)), rows).shape
        torch.Size([3, 4])
    """
    with _asked(method, statistics):
        features = getattr(method, "current_features", getattr(method, "features", None))
        if not isinstance(features, nn.Module):
            raise TlbookError(f"{type(method).__name__} has no features; expected a method: apply(module, x) takes any")
        return apply(features, domain, batch_size).flatten(1)


def predict(method: nn.Module, domain: Domain, batch_size: int | None = None, statistics: Statistics = None) -> Tensor:
    """The class that the method gives each row of the domain: N int64.

    Args:
        method: gives a logit a class.
        domain: N rows, labelled or not.
        batch_size: as for :func:`apply`.
        statistics: as for :func:`accuracy`.

    Raises:
        TlbookError: when the outputs are not as many logits a row as there are classes; otherwise as :func:`apply`.
    """
    return logits_of(method, domain, batch_size, statistics).argmax(dim=1)


def logits_of(
    method: nn.Module, domain: Domain, batch_size: int | None = None, statistics: Statistics = None
) -> Tensor:
    """The logits that the method gives each row of the domain, N×K; arguments and errors as for :func:`predict`."""
    check_domain("domain", domain)
    with _asked(method, statistics):
        logits = apply(method, domain, batch_size)
    if logits.shape[1:] != (len(domain.classes),):
        raise TlbookError(
            f"the method gives {tuple(logits.shape[1:])} logits a row, domain {domain.name!r} has "
            f"{len(domain.classes)} classes; expected one logit a class: evaluate on the classes it was trained for"
        )
    return logits


def accuracy(method: nn.Module, domain: Domain, batch_size: int | None = None, statistics: Statistics = None) -> float:
    """The fraction of a labelled domain's rows that the method classifies right, 0 … 1.

    Args:
        method: gives a logit a class.
        domain: labelled rows.
        batch_size: as for :func:`apply`.
        statistics: whose batch statistics a network with :class:`tlbook.nets.DomainBatchNorm` uses, and whose encoder
            a method with two, such as ADDA: ``"source"`` for rows of the source and ``"target"`` for rows of the
            target; None is as :func:`tlbook.nets.classify_as` said last, the target's where it said nothing.

    Raises:
        TlbookError: when the domain has no labels, or not as many classes as the method; otherwise as :func:`apply`.

    Example:
        >>> domain = Domain("two", torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]), ("a", "b"))
        >>> accuracy(nn.Identity(), domain)
        0.5
    """
    if isinstance(domain, Domain) and domain.y is None:
        raise TlbookError(f"domain {domain.name!r} has no labels; expected a labelled one: accuracy needs the truth")
    right = predict(method, domain, batch_size, statistics) == domain.labels().cpu()
    return right.double().mean().item()


def _asked(module: nn.Module, statistics: Statistics) -> AbstractContextManager[None]:
    check_module("method", module, "a method, or another torch module that gives logits")
    return nullcontext() if statistics is None else classify_as(module, statistics)


def harmonic_mean(seen: float, unseen: float) -> float:
    """2·s·u / (s + u): high only where both are, 0 where one of them is.

    Args:
        seen: the accuracy on seen classes, 0 … 1 (or in percent, like the other).
        unseen: the accuracy on unseen classes.

    Raises:
        TlbookError: when one is negative or not finite.

    Example:
        >>> harmonic_mean(0.75, 0.25)
        0.375
    """
    hint = "give two accuracies"
    seen, unseen = (check_number(n, v, at_least=0, hint=hint) for n, v in (("seen", seen), ("unseen", unseen)))
    return 2 * seen * unseen / (seen + unseen) if seen + unseen else 0.0


def transfer_matrix(
    train: Callable[[Domain, Domain], Callable[[Domain], ArrayLike | Tensor]],
    domains: Sequence[Domain],
    tests: Sequence[Domain],
) -> NDArray[np.float64]:
    """The accuracy from every domain to every domain: each in its turn is the source, each in its turn the target.

    ``train`` never gets a label of a target: the target and the test split come to it and to its predictor as
    ``.unlabelled()``.

    Args:
        train: takes a labelled source and an unlabelled target, returns a predictor, which takes an unlabelled domain
            of N examples and gives N labels; for a method, ``functools.partial(evaluate.predict, method)``.
        domains: K labelled domains to train on.
        tests: for each of them the split that is held out.

    Returns:
        K×K accuracies, 0 … 1, a row a source, a column a target, all on held-out examples; on the diagonal the
        target is the source itself.

    Raises:
        TlbookError: when there are not as many tests as domains, when their classes differ, when one has no labels,
            or a predictor gives another number of labels.

    Example:
        >>> zeros = Domain("zeros", torch.zeros(4, 1), torch.tensor([0, 0, 0, 0]), ("a", "b"))
        >>> mixed = Domain("mixed", torch.zeros(4, 1), torch.tensor([0, 1, 1, 1]), ("a", "b"))
        >>> def most_frequent(source, target):
        ...     return lambda domain: source.y.mode().values.expand(len(domain))
        >>> transfer_matrix(most_frequent, [zeros, mixed], [zeros, mixed])
        array([[1.  , 0.25],
               [0.  , 0.75]])
    """
    check_function("train", train, "a function from a source and a target to a predictor")
    domains, tests = (
        check_list(name, given, "a list of domains") for name, given in (("domains", domains), ("tests", tests))
    )
    for given in (*domains, *tests):
        check_domain("one of the domains", given)
    if len(domains) != len(tests):
        raise TlbookError(f"{len(domains)} domains and {len(tests)} tests; expected a test split for each domain")
    if len({domain.classes for domain in (*domains, *tests)}) > 1:
        raise TlbookError("the domains have different classes; expected the same for all: take .subset of each")
    truths = [test.labels().cpu().numpy() for test in tests]
    matrix = np.empty((len(domains), len(domains)))
    for row, source in enumerate(domains):
        source.labels()  # says so where there are none
        for column, (target, test, truth) in enumerate(zip(domains, tests, truths, strict=True)):
            given = train(source, target.unlabelled())(test.unlabelled())
            predicted = np.asarray(as_array(given))
            if predicted.shape != truth.shape:
                raise TlbookError(
                    f"the predictor from {source.name!r} to {target.name!r} gives the shape {predicted.shape}; "
                    f"expected {truth.shape}, one label an example"
                )
            if predicted.dtype.kind == "f" and not np.isfinite(predicted).all():
                raise TlbookError(
                    f"the predictor from {source.name!r} to {target.name!r} gives labels that are not finite; expected "
                    "numbers of classes: look at its training"
                )
            matrix[row, column] = (predicted == truth).mean()
    return matrix
