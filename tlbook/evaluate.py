"""How well a method does, and how far apart two domains are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from tlbook.data.domain import Domain
from tlbook.errors import TlbookError

__all__ = ["accuracy", "apply", "harmonic_mean", "predict", "proxy_a_distance", "transfer_matrix"]


def apply(module: nn.Module, x: Tensor, batch_size: int = 1000) -> Tensor:
    """A module's outputs on all rows, in evaluation mode, without gradients, on the module's device.

    Args:
        module: any module, e.g. ``method`` for logits or ``method.features`` for features.
        x: N rows.
        batch_size: how many rows at a time.

    Returns:
        N rows of outputs, on the CPU.

    Example:
        >>> apply(nn.Flatten(), torch.zeros(3, 2, 2)).shape
        torch.Size([3, 4])
    """
    device = next((p.device for p in module.parameters()), x.device)
    modes = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            return torch.cat([module(rows.to(device)).cpu() for rows in torch.split(x, batch_size)])
    finally:
        for m, training in modes.items():
            m.training = training


def predict(method: nn.Module, domain: Domain) -> Tensor:
    """The class that the method gives each row of the domain: N int64."""
    return apply(method, domain.x).argmax(dim=1)


def accuracy(method: nn.Module, domain: Domain) -> float:
    """The fraction of a labelled domain's rows that the method classifies right, 0 … 1.

    Raises:
        TlbookError: when the domain has no labels, or not as many classes as the method.

    Example:
        >>> domain = Domain("two", torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]), ("a", "b"))
        >>> accuracy(nn.Identity(), domain)
        0.5
    """
    if domain.y is None:
        raise TlbookError(f"domain {domain.name!r} has no labels; expected a labelled one: accuracy needs the truth")
    logits = apply(method, domain.x)
    if logits.shape[1:] != (len(domain.classes),):
        raise TlbookError(
            f"the method gives {tuple(logits.shape[1:])} logits a row, domain {domain.name!r} has "
            f"{len(domain.classes)} classes; expected one logit a class: evaluate on the classes it was trained for"
        )
    return (logits.argmax(dim=1) == domain.y.cpu()).double().mean().item()


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
    if not (0 <= seen < np.inf and 0 <= unseen < np.inf):
        raise TlbookError(f"seen is {seen}, unseen {unseen}; expected two accuracies, not below 0")
    return 2 * seen * unseen / (seen + unseen) if seen + unseen else 0.0


def proxy_a_distance(x: ArrayLike | Tensor, y: ArrayLike | Tensor, seed: int = 0) -> float:
    """How well a linear classifier tells two sets of features apart: d_A = 2·(1 − 2ε).

    Half of the rows of each set train logistic regressions on standardised features over a range of C; ε is the
    lowest error on the other half, each set counting one half (Ganin et al., JMLR 17(59), 2016, eq. 3 and the
    procedure below it, where linear SVMs are taken).

    Args:
        x: N×D features of the one domain.
        y: M×D features of the other.
        seed: of the split into halves.

    Returns:
        About 0 when the domains cannot be told apart (a little below 0 by chance), 2 when they always can.

    Raises:
        TlbookError: when a set has fewer than four rows, the widths differ, or a value is not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> round(proxy_a_distance(rng.normal(size=(200, 2)), 9 + rng.normal(size=(200, 2))), 2)
        2.0
    """
    a, b = (v.detach().cpu().double().numpy() if isinstance(v, Tensor) else np.asarray(v, float) for v in (x, y))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 4:
        raise TlbookError(
            f"x has shape {a.shape}, y {b.shape}; expected N×D and M×D with N, M at least 4: flatten images first"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise TlbookError("x or y has values that are not finite; expected finite features: drop those rows")
    rng = np.random.default_rng(seed)
    a, b = rng.permutation(a), rng.permutation(b)
    half_a, half_b = len(a) // 2, len(b) // 2
    train, test = np.concatenate([a[:half_a], b[:half_b]]), np.concatenate([a[half_a:], b[half_b:]])
    train_d, test_d = np.arange(len(train)) >= half_a, np.arange(len(test)) >= len(a) - half_a
    scale = StandardScaler().fit(train)
    errors = []
    for c in (1e-4, 1e-2, 1.0):
        probe = LogisticRegression(C=c, max_iter=2000, class_weight="balanced").fit(scale.transform(train), train_d)
        wrong = probe.predict(scale.transform(test)) != test_d
        errors.append((wrong[test_d].mean() + wrong[~test_d].mean()) / 2)
    return float(2 * (1 - 2 * min(errors)))


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
            predicted = given.cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
            if predicted.shape != truth.shape:
                raise TlbookError(
                    f"the predictor from {source.name!r} to {target.name!r} gives the shape {predicted.shape}; "
                    f"expected {truth.shape}, one label an example"
                )
            matrix[row, column] = (predicted == truth).mean()
    return matrix
