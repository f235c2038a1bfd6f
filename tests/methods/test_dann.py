"""DANN against the loop written from the paper's equations, and against source-only training."""

import copy
import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tlbook import evaluate, fit, nets
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods import DANN, Batch, SourceOnly
from tlbook.methods.dann import lambda_schedule, mu_schedule


def domains() -> tuple[Domain, Domain]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 5, generator=generator)
    y = (x[:, 0] > 0).long()
    return Domain("here", x, y, ("a", "b")), Domain("there", x + 1, y, ("a", "b"))


def parts(seed: int = 0) -> tuple[nn.Sequential, nn.Sequential, nn.Sequential]:
    torch.manual_seed(seed)
    return nets.mlp(5, 8, 6), nets.mlp(6, 2), nets.mlp(6, 7, 1)


def batches(dtype: torch.dtype = torch.float64) -> tuple[Batch, Batch]:
    generator = torch.Generator().manual_seed(1)
    x, z = torch.randn(9, 5, generator=generator, dtype=dtype), torch.randn(4, 5, generator=generator, dtype=dtype)
    return Batch(x, torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1])), Batch(z)


def gradients(loss: Tensor, module: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(module.parameters()), retain_graph=True))


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("p", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_the_schedules_are_the_papers(p: float) -> None:
    assert lambda_schedule(p) == pytest.approx(math.tanh(5 * p), abs=1e-12)  # 2σ(z) − 1 = tanh(z/2)
    assert mu_schedule(p) == pytest.approx(math.exp(-0.75 * math.log(1 + 10 * p)), abs=1e-12)


def test_lambda_runs_from_zero_to_almost_one() -> None:
    assert lambda_schedule(0.0) == 0.0
    assert 0.999 < lambda_schedule(1.0) < 1.0
    assert [lambda_schedule(p, gamma=0.0) for p in (0.0, 0.5, 1.0)] == [0.0, 0.0, 0.0]


def test_the_losses_are_the_loop_of_equations_8_and_9() -> None:
    method, (source, target) = DANN(*parts()).double(), batches()
    assert source.y is not None
    label = domain_source = domain_target = 0.0
    with torch.no_grad():
        for x, y in zip(source.x, source.y, strict=True):
            scores = np.exp(method.label_head(method.features(x)).numpy())
            label += math.log(scores.sum() / scores[y])
            domain_source += math.log(1 / (1 - 1 / (1 + math.exp(-method.domain_head(method.features(x))))))
        for x in target.x:
            domain_target += math.log(1 / (1 / (1 + math.exp(-method.domain_head(method.features(x))))))
    terms = method.losses(source, target, 0.7)
    assert terms["label"].item() == pytest.approx(label / 9, abs=1e-12)
    assert terms["domain"].item() == pytest.approx(domain_source / 9 + domain_target / 4, abs=1e-12)


@pytest.mark.parametrize("progress", [0.0, 0.13, 1.0])
def test_each_player_gets_the_gradient_of_its_own_update_rule(progress: float) -> None:
    method, (source, target) = DANN(*parts()).double(), batches()
    terms = method.losses(source, target, progress)
    total = torch.stack(list(terms.values())).sum()

    # the same losses without a reversal in them, differentiated in two passes
    features = method.features(torch.cat([source.x, target.x]))
    z = method.domain_head(features).flatten()
    d = torch.tensor([0.0] * 9 + [1.0] * 4, dtype=torch.float64)
    rows = nn.functional.binary_cross_entropy_with_logits(z, d, reduction="none")
    label = nn.functional.cross_entropy(method.label_head(features[:9]), source.labels)
    domain = rows[:9].mean() + rows[9:].mean()

    lam = lambda_schedule(progress)
    for got, ly, ld in zip(
        gradients(total, method.features),
        gradients(label, method.features),
        gradients(domain, method.features),
        strict=True,
    ):
        torch.testing.assert_close(got, ly - lam * ld, rtol=1e-10, atol=1e-12)
    for got, ly in zip(gradients(total, method.label_head), gradients(label, method.label_head), strict=True):
        torch.testing.assert_close(got, ly, rtol=1e-10, atol=1e-12)
    for got, ld in zip(gradients(total, method.domain_head), gradients(domain, method.domain_head), strict=True):
        torch.testing.assert_close(got, ld, rtol=1e-10, atol=1e-12)


def test_the_domain_head_learns_at_full_speed_whatever_lambda() -> None:
    method, (source, target) = DANN(*parts()).double(), batches()
    first, last = (
        gradients(method.losses(source, target, progress)["domain"], method.domain_head) for progress in (0.0, 1.0)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, last, strict=True))
    assert any(g.abs().max() > 0 for g in first)


@pytest.mark.parametrize("optimizer", [None, partial(torch.optim.SGD, lr=0.05, momentum=0.9)])
def test_without_reversal_it_is_source_only_bit_for_bit_and_with_it_it_is_not(
    optimizer: partial[torch.optim.SGD] | None,
) -> None:
    source, target = domains()
    how = {} if optimizer is None else {"optimizer": optimizer}

    def trained(**given: float) -> SourceOnly | DANN:
        features, label_head, domain_head = parts()
        method = DANN(features, label_head, domain_head, **given) if given else SourceOnly(features, label_head)
        fit(method, source, target, steps=20, batch_size=16, seed=0, precision="fp32", **how)  # type: ignore[arg-type]
        return method

    alone, with_it = trained(), trained(gamma=10.0)
    for without in (trained(gamma=0.0), trained(lam=0.0)):
        assert isinstance(without, DANN)
        assert same_weights(without.features, alone.features)
        assert same_weights(without.label_head, alone.label_head)
        assert not same_weights(without.domain_head, parts()[2])  # it learns all the same
    assert not same_weights(with_it.features, alone.features)


def test_a_positive_logit_says_target() -> None:
    source, target = domains()
    method = DANN(*parts(), gamma=0.0)
    far = Domain("far", target.x + 5, None, target.classes)
    fast = partial(torch.optim.Adam, lr=0.01)
    fit(method, source, far, steps=100, batch_size=32, seed=0, precision="fp32", optimizer=fast)
    says = [evaluate.apply(nn.Sequential(method.features, method.domain_head), d.x).mean() for d in (source, far)]
    assert says[0] < 0 < says[1]


@pytest.mark.parametrize("end", [nn.Softmax(dim=1), nn.LogSoftmax(dim=1), nn.Sigmoid(), nn.LogSigmoid()])
def test_a_domain_head_that_ends_in_probabilities_is_refused(end: nn.Module) -> None:
    features, label_head, domain_head = parts()
    with pytest.raises(TlbookError, match=r"^domain_head ends in .*; expected a logit[^\n]*$"):
        DANN(features, label_head, nn.Sequential(domain_head, end))


def test_a_domain_head_of_two_units_is_refused() -> None:
    features, label_head, _ = parts()
    source, target = batches(torch.float32)
    with pytest.raises(TlbookError, match=r"^domain_head ends in Linear\([^\n]*; expected one logit a row[^\n]*$"):
        DANN(features, label_head, nets.mlp(6, 2)).losses(source, target, 0.5)


def test_without_a_target_it_says_so() -> None:
    with pytest.raises(TlbookError, match=r"^no unlabelled rows are given to DANN; [^\n]*give fit a target$"):
        fit(DANN(*parts()), domains()[0], steps=2, batch_size=16, seed=0)


def test_the_classifier_is_features_and_label_head() -> None:
    method = DANN(*parts())
    x = domains()[0].x
    assert torch.equal(method(x), method.label_head(method.features(x)))


def test_a_copy_is_independent() -> None:
    source, target = domains()
    method = DANN(*parts())
    fit(method, source, target, steps=3, batch_size=8, seed=0, precision="fp32")
    twin = copy.deepcopy(method)
    before = copy.deepcopy(method.state_dict())
    fit(twin, source, target, steps=3, batch_size=8, seed=1, precision="fp32")
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert not same_weights(method, twin)


def test_lam_scales_what_the_features_get_and_nothing_else() -> None:
    def gradients(lam: float) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        method = DANN(*parts(), lam=lam)
        method.losses(*batches(torch.float32), progress=0.3)["domain"].backward()
        weights = (method.features.parameters(), method.domain_head.parameters())
        features, head = ([p.grad for p in part if p.grad is not None] for part in weights)
        return features, head

    (once, head), (fivefold, same_head) = gradients(1.0), gradients(5.0)
    assert all(torch.allclose(5 * a, b, rtol=1e-5) for a, b in zip(once, fivefold, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(head, same_head, strict=True))
    assert any(g.abs().max() > 0 for g in once)
