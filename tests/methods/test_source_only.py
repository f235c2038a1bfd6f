"""The baseline is plain cross-entropy on the source, and nothing of the target."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from tlbook import fit
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods import Batch, SourceOnly


def make(seed: int = 0) -> SourceOnly:
    torch.manual_seed(seed)
    return SourceOnly(nn.Sequential(OrderedDict(hidden=nn.Linear(3, 5), act=nn.Tanh())), nn.Linear(5, 4))


def domain(seed: int, n: int = 40) -> Domain:
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))
    return Domain(f"random-{seed}", x, x[:, 0].gt(0).long() + 2 * x[:, 1].gt(0).long(), ("a", "b", "c", "d"))


def test_its_loss_is_the_mean_of_minus_log_p_of_the_true_class() -> None:
    method = make().double()
    x, y = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 3, 1, 2, 2, 0])
    terms = method.losses(Batch(x, y), Batch(x[:0]), progress=0.3)
    p = method.label_head(method.features(x)).exp()
    by_hand = -sum((p[i, y[i]] / p[i].sum()).log() for i in range(6)) / 6
    assert list(terms) == ["label"]
    torch.testing.assert_close(terms["label"], by_hand)


def test_the_target_changes_nothing() -> None:
    alone, beside = make(), make()
    fit(alone, domain(0), steps=20, batch_size=8, seed=3, precision="fp32")
    fit(beside, domain(0), domain(1), steps=20, batch_size=8, seed=3, precision="fp32")
    for a, b in zip(alone.parameters(), beside.parameters(), strict=True):
        assert torch.equal(a, b)


def test_every_weight_learns() -> None:
    method = make()
    before = [w.detach().clone() for w in method.parameters()]
    fit(method, domain(0), steps=5, batch_size=8, precision="fp32")
    assert not any(torch.equal(a, b) for a, b in zip(before, method.parameters(), strict=True))


def test_a_batch_without_labels_is_an_error() -> None:
    with pytest.raises(TlbookError, match=r"the batch has no labels; expected a labelled domain"):
        make().losses(Batch(torch.zeros(2, 3)), Batch(torch.zeros(0, 3)), progress=0.0)
