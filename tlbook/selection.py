"""Choosing among trained models without a label of the target.

Each function gives a risk, lower for the model that it recommends, and none can be handed a target label: the target
comes as ``domain.unlabelled()`` and is refused otherwise. How far a choice is from the best one, the *oracle*, only
somebody with the target's labels can say; nothing here computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import nn

from tlbook import evaluate, losses
from tlbook._checks import check_function, check_numbers
from tlbook.data.domain import Domain, check_domain
from tlbook.errors import TlbookError

__all__ = ["choose", "information_risk", "reverse_risk", "source_risk", "target_entropy"]


def source_risk(method: nn.Module, validation: Domain) -> float:
    """The error on source rows that were held out of the training, 0 … 1.

    It says whether the model has learned its task, and nothing about the target. A network that keeps batch statistics
    for each domain is asked with the source's, a method with two encoders by the source's.

    Args:
        method: a trained classifier.
        validation: labelled rows of the source.

    Raises:
        TlbookError: when the rows have no labels, or not as many classes as the method.

    Example:
        >>> held_out = Domain("source", torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]), ("a", "b"))
        >>> source_risk(nn.Identity(), held_out)
        0.5
    """
    return 1 - evaluate.accuracy(method, validation, statistics="source")


def target_entropy(method: nn.Module, target: Domain) -> float:
    """The mean entropy of the predictions on the target, in nats, 0 … log K.

    A model that gives every row the same class with certainty has none at all: see :func:`information_risk`.

    Args:
        method: a trained classifier.
        target: rows of the target, unlabelled.

    Raises:
        TlbookError: when the target has labels.

    Example:
        >>> undecided = Domain("target", torch.zeros(4, 2), None, ("a", "b"))
        >>> round(target_entropy(nn.Identity(), undecided), 4)
        0.6931
    """
    _refuse_labels(target)
    return losses.entropy(evaluate.logits_of(method, target, statistics="target")).item()


def information_risk(method: nn.Module, target: Domain) -> float:
    """Minus the mutual information between rows and predicted classes on the target, in nats, −log K … 0.

    The entropy of the predictions minus the entropy of their mean: least where every prediction is certain and all
    classes are predicted alike often (the objective of Krause, Perona and Gomes, *Discriminative clustering by
    regularized information maximization*, NIPS 2010, without its regulariser). It assumes that the target has every
    class, in like shares.

    Args:
        method: a trained classifier.
        target: rows of the target, unlabelled.

    Raises:
        TlbookError: when the target has labels.

    Example:
        >>> rows = Domain("target", torch.tensor([[99.0, 0.0], [0.0, 99.0]]), None, ("a", "b"))
        >>> round(information_risk(nn.Identity(), rows), 4)
        -0.6931
    """
    _refuse_labels(target)
    logits = evaluate.logits_of(method, target, statistics="target")
    log_p = torch.log_softmax(logits, dim=1)
    log_mean = torch.logsumexp(log_p, dim=0, keepdim=True)  # up to a constant, which the soft-max takes away
    return (losses.entropy(logits) - losses.entropy(log_mean)).item()


def reverse_risk(
    method: nn.Module, source: Domain, validation: Domain, target: Domain, train: Callable[[Domain, Domain], nn.Module]
) -> float:
    """The error, on held-out source rows, of a classifier that was trained back from the target, 0 … 1.

    The method labels the target; the same training, with these labels for a source and the true source's rows
    unlabelled for a target, makes the *reverse* classifier (Zhong, Fan, Yang, Verscheure and Ren, *Cross validation
    framework to choose amongst models and datasets for transfer learning*, ECML PKDD 2010; Ganin et al., JMLR 17(59),
    2016, who take a tenth of the source for validation). Labels that follow the classes lead back; labels that do not,
    do not. Where both directions swap the same classes, the error is small for the wrong reason.

    Args:
        method: the trained classifier that is judged.
        source: the source rows that it was trained on; their labels are not used.
        validation: labelled rows of the source that were held out.
        target: rows of the target, unlabelled.
        train: trains a fresh model as the judged one was, from a labelled source and an unlabelled target.

    Raises:
        TlbookError: when the target has labels, or the validation rows have none.

    Example:
        >>> from tlbook import fit
        >>> from tlbook.methods import SourceOnly
        >>> def train(source, target):
        ...     _ = torch.manual_seed(0)
        ...     model = SourceOnly(nn.Identity(), nn.Linear(1, 2))
        ...     _ = fit(model, source, steps=100, batch_size=16, progress=False)
        ...     return model
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> line = Domain("line", x, (x[:, 0] > 0).long(), ("left", "right"))
        >>> reverse_risk(train(line, line), line, line, replace(line, x=x + 0.01).unlabelled(), train) < 0.1
        True
    """
    _refuse_labels(target)
    check_function("train", train, "a function from a source and a target to a trained method")
    check_domain("source", source)
    labelled = replace(target, y=evaluate.predict(method, target, statistics="target").to(target.x.device))
    back = train(labelled, source.unlabelled())
    return 1 - evaluate.accuracy(back, validation, statistics="target")  # the way back leads to the source


def choose(risks: Mapping[str, float]) -> str:
    """The name with the lowest risk; of equals the first.

    Args:
        risks: for each candidate's name its risk.

    Raises:
        TlbookError: when there is no candidate, or a risk is not finite.

    Example:
        >>> choose({"λ = 0.1": 0.3, "λ = 1": 0.2})
        'λ = 1'
    """
    if not isinstance(risks, Mapping):
        raise TlbookError(f"risks is {type(risks).__name__}; expected a dictionary from names to risks")
    found = dict(zip(risks, check_numbers("risks", risks.values(), hint="drop other candidates"), strict=True))
    return min(found, key=lambda name: found[name])


def _refuse_labels(target: Domain) -> None:
    check_domain("target", target)
    if target.y is not None:
        raise TlbookError(
            f"target {target.name!r} has labels; expected none, selection must not see them: give target.unlabelled()"
        )
