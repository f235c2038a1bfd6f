"""SAN, PADA and IWAN against the loops written from their equations, and what each may change."""

import copy
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tlbook import fit, losses, nets
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods import IWAN, PADA, SAN, Batch, Method
from tlbook.methods.dann import lambda_schedule
from tlbook.methods.partial_transfer.iwan import importance_weights, iwan_lambda
from tlbook.methods.partial_transfer.san import selective_adversarial

K, N, M = 3, 6, 4
quick = partial(torch.optim.Adam, lr=0.01)


def batches() -> tuple[Batch, Batch]:
    generator = torch.Generator().manual_seed(1)
    x, z = (torch.randn(n, 5, generator=generator, dtype=torch.float64) for n in (N, M))
    return Batch(x, torch.tensor([0, 1, 2, 2, 1, 0])), Batch(z)


def domains() -> tuple[Domain, Domain]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(90, 5, generator=generator)
    y = x[:, :K].argmax(dim=1)
    source = Domain("here", x, y, ("a", "b", "c"))
    return source, Domain("there", x + 1, y, ("a", "b", "c")).subset(["a", "b"])


def san(seed: int = 0, **how: float) -> SAN:
    torch.manual_seed(seed)
    return SAN(nets.mlp(5, 8, 6), nets.mlp(6, K), nets.ClasswiseMLP(6, 7, K), **how)


def pada(seed: int = 0) -> PADA:
    torch.manual_seed(seed)
    return PADA(nets.mlp(5, 8, 6), nets.mlp(6, K), nets.mlp(6, 7, 1), classes=K, memory=0.75)


def iwan(seed: int = 0, **how: float) -> IWAN:
    torch.manual_seed(seed)
    weigher = nn.Sequential(nn.Linear(6, 7), nn.ReLU(), nn.Dropout(0.5), nn.Linear(7, 1))
    return IWAN(nets.mlp(5, 8, 6), nets.mlp(6, K), weigher, nets.mlp(6, 7, 1), **how)


def gradients(loss: Tensor, module: nn.Module) -> list[Tensor]:
    found = torch.autograd.grad(loss, list(module.parameters()), retain_graph=True, allow_unused=True)
    return [torch.zeros(()) if g is None else g for g in found]


def log1(z: float) -> float:
    return math.log(1 + math.exp(-z))  # log 1/σ(z)


# ClasswiseMLP


def test_the_perceptrons_of_all_classes_are_those_of_a_loop() -> None:
    torch.manual_seed(0)
    together = nets.ClasswiseMLP(5, 4, K).double()
    x = torch.randn(7, 5, dtype=torch.float64)
    for k in range(K):
        alone = nets.mlp(5, 4, 1).double()
        with torch.no_grad():
            alone.fc1[0].weight.copy_(together.hidden.weight[4 * k : 4 * k + 4])  # type: ignore[union-attr,index]
            alone.fc1[0].bias.copy_(together.hidden.bias[4 * k : 4 * k + 4])  # type: ignore[union-attr,index]
            alone.fc2.weight.copy_(together.weight[k].T)  # type: ignore[union-attr]
            alone.fc2.bias.fill_(together.bias[k])  # type: ignore[union-attr]
        torch.testing.assert_close(together(x)[:, k], alone(x)[:, 0])


# SAN


def test_the_selective_loss_is_the_double_loop_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(N + M, K, generator=generator, dtype=torch.float64)
    y_hat = torch.randn(N + M, K, generator=generator, dtype=torch.float64).softmax(dim=1)
    total = 0.0
    for k in range(K):
        gamma = sum(y_hat[N + j, k].item() for j in range(M)) / M  # of the target's rows alone
        inner = 0.0
        for i in range(N + M):
            d = 0 if i < N else 1
            loss = log1(z[i, k].item()) if d == 1 else log1(-z[i, k].item())
            inner += y_hat[i, k].item() * loss
        total += gamma * inner
    assert selective_adversarial(z, y_hat, N).item() == pytest.approx(total / (N + M), abs=1e-12)


def test_sans_losses_move_features_and_heads_as_the_paper_says() -> None:
    method, (source, target) = san().double(), batches()
    terms = method.losses(source, target, 0.4)
    features = method.features(torch.cat([source.x, target.x]))
    logits = method.label_head(features)
    y_hat = logits.softmax(dim=1).detach()
    plain = selective_adversarial(method.domain_heads(features), y_hat, N)
    assert terms["domain"].item() == pytest.approx(plain.item(), abs=1e-12)
    assert terms["entropy"].item() == pytest.approx(losses.entropy(logits[N:]).item(), abs=1e-12)
    lam = lambda_schedule(0.4)
    for got, want in zip(gradients(terms["domain"], method.features), gradients(plain, method.features), strict=True):
        torch.testing.assert_close(got, -lam * want)
    for got, want in zip(
        gradients(terms["domain"], method.domain_heads), gradients(plain, method.domain_heads), strict=True
    ):
        torch.testing.assert_close(got, want)
    assert all(g.abs().max() == 0 for g in gradients(terms["domain"], method.label_head))  # ŷ is a constant


def test_a_class_that_the_target_never_shows_has_a_silent_discriminator() -> None:
    z = torch.randn(N + M, K, requires_grad=True)
    y_hat = torch.randn(N + M, K).softmax(dim=1)
    y_hat[N:, 2] = 0
    selective_adversarial(z, y_hat, N).backward()
    assert z.grad is not None
    assert z.grad[:, 2].abs().max() == 0
    assert z.grad[:, :2].abs().min() > 0


# PADA


def test_pada_weighs_source_rows_by_what_the_target_seems_to_be() -> None:
    method, (source, target) = pada().double(), batches()
    logits = method.label_head(method.features(target.x)).softmax(dim=1).mean(dim=0)
    expected = 0.75 * method.predicted + 0.25 * logits
    terms = method.losses(source, target, 0.4)
    torch.testing.assert_close(method.predicted, expected.detach())
    gamma = (expected / expected.max()).detach()
    assert method.class_weights().max().item() == pytest.approx(1.0)
    assert method.predicted.sum().item() == pytest.approx(1.0)
    own = method.label_head(method.features(source.x)).log_softmax(dim=1)
    z = method.domain_head(method.features(torch.cat([source.x, target.x]))).flatten().tolist()
    label = -sum(gamma[y] * own[i, y] for i, y in enumerate(source.labels)) / N
    domain = sum(gamma[y] * log1(-z[i]) for i, y in enumerate(source.labels)) / N + sum(map(log1, z[N:])) / M
    assert terms["label"].item() == pytest.approx(label.item(), abs=1e-12)
    assert terms["domain"].item() == pytest.approx(float(domain), abs=1e-12)
    assert not method.predicted.requires_grad


# IWAN


@pytest.mark.parametrize(("p", "value"), [(0.0, 0.0), (0.25, 0.0124), (0.5, 0.0245), (0.75, 0.0358), (1.0, 0.0462)])
def test_lambda_is_the_papers(p: float, value: float) -> None:
    assert iwan_lambda(p) == pytest.approx(value, abs=5e-5)
    assert iwan_lambda(p, upper=1.0) == pytest.approx(10 * iwan_lambda(p))


def test_weights_have_mean_one_fall_with_the_belief_in_the_source_and_carry_no_gradient() -> None:
    z = torch.linspace(-5, 3, 9, requires_grad=True)
    w = importance_weights(z)
    source_belief = 1 / (1 + np.exp(z.detach().numpy()))  # D: logits are of the target
    np.testing.assert_allclose(w.numpy(), (1 - source_belief) / (1 - source_belief).mean(), rtol=1e-5)
    assert not w.requires_grad
    assert importance_weights(torch.full((3,), -1e4)).isfinite().all()


def test_the_weights_are_the_same_at_each_call_in_spite_of_dropout() -> None:
    method, features = iwan(), torch.randn(N, 6)
    method.train()
    assert torch.equal(method.weights(features), method.weights(features))
    assert method.weights(features).mean().item() == pytest.approx(1.0)
    assert method.weigher.training


def test_iwans_terms_are_the_loop_and_move_what_they_may() -> None:
    method, (source, target) = iwan(upper=1.0).double(), batches()
    method.weigher.eval()
    method.copy_features()
    w = method.weights(method.source_features(source.x)).tolist()
    f = torch.cat([method.source_features(source.x), method.features(target.x)])
    d, d0 = method.weigher(f).flatten().tolist(), method.domain_head(f).flatten().tolist()
    torch.manual_seed(0)
    terms = method.losses(source, target, 0.6)
    assert terms["domain"].item() == pytest.approx(
        sum(w[i] * log1(-d0[i]) for i in range(N)) / N + sum(map(log1, d0[N:])) / M, abs=1e-12
    )
    assert terms["weigher"].item() == pytest.approx(
        sum(log1(-z) for z in d[:N]) / N + sum(map(log1, d[N:])) / M, abs=1e-12
    )
    for name, moved in {
        "weigher": {"weigher"},
        "domain": {"domain_head", "features"},
        "entropy": {"features", "label_head"},  # the phase keeps the label head where it is
    }.items():
        for part in ("features", "source_features", "label_head", "weigher", "domain_head"):
            moves = any(g.abs().max() > 0 for g in gradients(terms[name], method.get_submodule(part)))
            assert moves == (part in moved), (name, part)


def test_the_features_climb_the_weighted_domain_loss_by_lambda() -> None:
    method, (source, target) = iwan(upper=1.0).double(), batches()
    terms = method.losses(source, target, 0.6)
    f_s, f_t = method.source_features(source.x).detach(), method.features(target.x)
    plain = losses.domain_adversarial(method.domain_head(torch.cat([f_s, f_t])), len(f_s), method.weights(f_s))
    for got, want in zip(gradients(terms["domain"], method.features), gradients(plain, method.features), strict=True):
        torch.testing.assert_close(got, -iwan_lambda(0.6, 1.0) * want)


def test_source_features_and_label_head_stand_still_in_the_second_phase() -> None:
    source, target = domains()
    method = iwan(upper=1.0)
    at_start: dict[str, Tensor] = {}
    first, second = method.phases()

    def start() -> None:
        second.start()
        at_start.update({name: t.clone() for name, t in method.state_dict().items()})

    method.phases = lambda: (first, type(second)(second.name, second.losses, second.learns, start=start))  # type: ignore[method-assign]
    fit(method, source, target, steps=40, batch_size=16, precision="fp32")
    for name, after in method.state_dict().items():
        still = name.startswith(("source_features", "label_head"))
        assert torch.equal(after, at_start[name]) == still, name
    for name, p in method.source_features.named_parameters():
        assert torch.equal(at_start["features." + name], p)  # F_t began as F_s


def test_the_rate_is_that_of_iwans_second_phase() -> None:
    assert [phase.rate for phase in iwan(rate=0.3).phases()] == [1.0, 0.3]
    for rate in (0.0, -1.0, float("nan")):
        with pytest.raises(TlbookError, match="expected a number, above 0"):
            iwan(rate=rate)


# all three


@pytest.mark.parametrize("make", [san, pada, iwan])
def test_training_lowers_the_label_loss_and_everything_moves(make: Callable[[], Method]) -> None:
    source, target = domains()
    method = make()
    before = copy.deepcopy(method)
    history = fit(method, source, target, steps=200, batch_size=32, precision="fp32", optimizer=quick)
    assert history.smooth("label")[-1] < 0.8 * history.terms["label"][0]
    moved = {
        name: not torch.equal(a, b) for (name, a), b in zip(method.named_parameters(), before.parameters(), strict=True)
    }
    assert all(moved.values()), moved


def test_gradients_in_double_precision() -> None:
    z = torch.randn(N + M, K, dtype=torch.float64, requires_grad=True)
    y_hat = torch.randn(N + M, K, dtype=torch.float64).softmax(dim=1)
    assert torch.autograd.gradcheck(lambda z: selective_adversarial(z, y_hat, N), z)


def test_wrong_shapes_are_refused_in_a_line() -> None:
    with pytest.raises(TlbookError, match=r"domain_logits has shape \(4, 1\), probabilities \(4, 3\)"):
        selective_adversarial(torch.zeros(4, 1), torch.zeros(4, 3), 2)
    with pytest.raises(TlbookError, match=r"n_source is 4 of 4 rows"):
        selective_adversarial(torch.zeros(4, 3), torch.zeros(4, 3), 4)
