"""ADDA against its equations: untied encoders, two phases, inverted labels, and a source that stands still."""

import copy
import math
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from tests.every_method import interrupted
from tlbook import evaluate, fit, losses, nets, selection
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods import ADDA, IWAN, Batch

sgd = partial(torch.optim.SGD, lr=0.1, momentum=0.9)


def domains(shift: float = 1.0) -> tuple[Domain, Domain]:
    x = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    return Domain("here", x, y, ("a", "b")), Domain("there", x + shift, y, ("a", "b"))


def encoder() -> nn.Sequential:
    """All that could let a frozen network move: statistics and dropout."""
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 6))


def make(seed: int = 0, **how: float) -> ADDA:
    torch.manual_seed(seed)
    return ADDA(encoder(), nets.mlp(6, 2), nets.mlp(6, 7, 1), **how)


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def moved(module: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


def double(seed: int = 0) -> tuple[ADDA, Batch, Batch]:
    torch.manual_seed(seed)
    method = ADDA(nets.mlp(5, 8, 6), nets.mlp(6, 2), nets.mlp(6, 7, 1)).double()
    with torch.no_grad():
        for p in method.features.parameters():  # as after some steps: no longer the source's
            p.add_(0.3 * torch.randn_like(p))
    source, target = torch.randn(9, 5).double(), torch.randn(4, 5).double()
    return method, Batch(source, torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1])), Batch(target)


def at_the_start_of_the_second(method: ADDA, look: list[dict[str, Tensor]]) -> None:
    """Let the method write down its weights when the second phase has begun."""
    copying = method.copy_source

    def looking() -> None:
        look.append(weights(method))
        copying()
        look.append(weights(method))

    method.copy_source = looking  # type: ignore[method-assign]


# the phases


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_each_phase_moves_its_own_half_and_the_source_stands_still_to_the_bit(share: float) -> None:
    method, (source, target) = make(share=share), domains()
    first, look = weights(method), []
    at_the_start_of_the_second(method, look)
    history = fit(method, source, target, steps=40, batch_size=16, optimizer=sgd, precision="fp32")
    before, after = look
    learned = {name for name in first if not torch.equal(first[name], before[name])}
    assert {name.split(".")[0] for name in learned} == {"source_features", "label_head"}
    assert {n for n in first if n.split(".")[0] in ("source_features", "label_head") and "bias" not in n} <= learned
    assert all(torch.equal(after[f"features.{n}"], p) for n, p in method.source_features.state_dict().items())
    assert {name.split(".")[0] for name in moved(method, after)} == {"features", "domain_head"}
    assert {n for n in first if n.startswith("features") and "bias" not in n} <= moved(method, after)
    assert {name: len(v) for name, v in history.terms.items()} == {
        "label": 40 * share,
        "domain": 40 * (1 - share),
        "encoder": 40 * (1 - share),
    }
    assert all(p.requires_grad for p in method.parameters())


def test_what_is_deployed_is_the_targets_encoder_and_the_sources_classifier() -> None:
    method, source, target = double()
    torch.testing.assert_close(method(target.x), method.label_head(method.features(target.x)))
    assert not torch.allclose(method(source.x), method.label_head(method.source_features(source.x)))
    shared = {id(p) for p in method.features.parameters()} & {id(p) for p in method.source_features.parameters()}
    assert not shared


def test_the_second_phase_learns_more_slowly() -> None:
    rates: list[float] = []

    class Watched(torch.optim.SGD):
        def step(self, closure: object = None) -> None:  # type: ignore[override]
            rates.append(self.param_groups[0]["lr"])
            super().step()

    method, (source, target) = make(rate=0.2), domains()
    fit(method, source, target, steps=6, batch_size=8, optimizer=partial(Watched, lr=0.1), schedule=lambda p: 1 - p / 2)
    assert rates == pytest.approx([0.1, 0.075, 0.05, 0.02, 0.015, 0.01])


def test_the_first_phase_is_ordinary_training_on_the_source() -> None:
    method, source, target = double()
    [label] = method.source_losses(source, target, 0.0).values()
    loss = nn.functional.cross_entropy(method.label_head(method.source_features(source.x)), source.labels)
    assert label.item() == pytest.approx(loss.item(), abs=1e-12)


# the game


def test_the_terms_are_the_loops_of_equation_9() -> None:
    method, source, target = double()
    terms = method.losses(source, target, 0.5)

    def belief(features: Tensor) -> list[float]:  # the paper's D: the probability of "source"
        return [1 / (1 + math.exp(z)) for z in method.domain_head(features).flatten().tolist()]

    s, t = belief(method.source_features(source.x)), belief(method.features(target.x))
    adversary = -sum(map(math.log, s)) / 9 - sum(math.log(1 - d) for d in t) / 4
    assert terms["domain"].item() == pytest.approx(adversary, abs=1e-12)
    assert terms["encoder"].item() == pytest.approx(-sum(map(math.log, t)) / 4, abs=1e-12)


def test_the_encoder_wants_the_label_source_and_does_not_reverse_a_gradient() -> None:
    method, source, target = double()
    total = torch.stack(list(method.losses(source, target, 0.5).values())).sum()
    own = list(method.features.parameters())
    got = torch.autograd.grad(total, own, retain_graph=True)

    z = method.domain_head(method.features(target.x))
    bce = nn.functional.binary_cross_entropy_with_logits
    inverted = torch.autograd.grad(bce(z, torch.zeros_like(z)), own, retain_graph=True)
    reversed_ = torch.autograd.grad(-bce(z, torch.ones_like(z)), own)
    for g, expected, other in zip(got, inverted, reversed_, strict=True):
        torch.testing.assert_close(g, expected, rtol=1e-10, atol=1e-12)
        assert not torch.allclose(g, other)


def test_the_domain_head_learns_from_its_own_loss_alone() -> None:
    method, source, target = double()
    terms = method.losses(source, target, 0.5)
    head = list(method.domain_head.parameters())
    total = torch.autograd.grad(torch.stack(list(terms.values())).sum(), head, retain_graph=True)
    own = torch.autograd.grad(terms["domain"], head, retain_graph=True)
    assert all(torch.equal(a, b) for a, b in zip(total, own, strict=True))
    still = [*method.source_features.parameters(), *method.label_head.parameters()]
    none = torch.autograd.grad(torch.stack(list(terms.values())).sum(), still, allow_unused=True)
    assert all(g is None for g in none)


def test_the_gradients_of_both_players_in_float64() -> None:
    method, source, target = double()
    for player, term in (("features.fc2.weight", "encoder"), ("domain_head.fc1.0.weight", "domain")):

        def of(value: Tensor, player: str = player, term: str = term) -> Tensor:
            terms: dict[str, Tensor] = functional_call(Terms(method), {f"method.{player}": value}, (source, target))
            return terms[term]

        assert torch.autograd.gradcheck(of, (method.get_parameter(player).detach().clone().requires_grad_(),))


class Terms(nn.Module):
    """The losses as a forward pass, so that a weight can be given from outside."""

    def __init__(self, method: ADDA) -> None:
        super().__init__()
        self.method = method

    def forward(self, source: Batch, target: Batch) -> dict[str, Tensor]:
        return self.method.losses(source, target, 0.5)


def test_the_source_is_seen_without_dropout_in_the_second_phase() -> None:
    method, (source, target) = make(share=0.2), domains()
    seen: list[Tensor] = []
    method.source_features.register_forward_hook(lambda _, args, out: seen.append(out) if len(args[0]) > 2 else None)
    fit(method, source, target, steps=5, batch_size=len(source), precision="fp32")  # the same rows in each step
    in_order = [rows.sort(dim=0).values for rows in seen[1:]]
    assert all(torch.allclose(rows, in_order[0], atol=1e-5) for rows in in_order)  # where a row stands may turn a bit
    assert [rows.requires_grad for rows in seen] == [True, False, False, False, False]


# the whole


def test_it_undoes_a_turn_that_the_source_knows_nothing_of() -> None:
    torch.manual_seed(0)
    y = torch.randint(3, (600,))
    x = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-1.0, -1.5]])[y] + 0.2 * torch.randn(600, 2)
    turn = torch.tensor([[math.cos(0.9), math.sin(0.9)], [-math.sin(0.9), math.cos(0.9)]])
    source, target = Domain("s", x, y, tuple("abc")), Domain("t", x @ turn, y, tuple("abc"))
    method = ADDA(nets.mlp(2, 16, 8), nets.mlp(8, 3), nets.mlp(8, 32, 1), share=0.3)
    alone = copy.deepcopy(method)
    adam = partial(torch.optim.Adam, lr=5e-3, betas=(0.5, 0.999))
    fit(method, source, target.unlabelled(), steps=1000, batch_size=64, optimizer=adam, precision="fp32")
    alone.load_state_dict(method.state_dict())
    alone.copy_source()
    assert evaluate.accuracy(alone, source) > 0.95
    assert evaluate.accuracy(alone, target) < 0.9
    assert evaluate.accuracy(method, target) > 0.97


@pytest.mark.parametrize("stop", [3, 10, 20, 21, 33])
def test_a_run_in_parts_is_the_whole_run(stop: int, tmp_path: Path) -> None:
    source, target = domains()
    run = partial(fit, source=source, target=target, steps=40, batch_size=8, optimizer=sgd, precision="fp32")
    whole, again = make(), make()
    run(whole)
    with pytest.raises(KeyboardInterrupt), interrupted(stop):
        run(make(), checkpoint=tmp_path / "run.pt")
    history = run(again, checkpoint=tmp_path / "run.pt")
    torch.testing.assert_close(weights(again), weights(whole), rtol=0, atol=0)
    assert len(history.terms["label"]) == len(history.terms["encoder"]) == 20


def test_no_target_label_is_seen() -> None:
    source, target = domains()
    found = []
    for y in (target.y, None, 1 - target.labels()):
        method = make()
        fit(method, source, Domain("t", target.x, y, target.classes), steps=10, batch_size=8, precision="fp32")
        found.append(weights(method))
    assert all(torch.equal(found[0][name], other[name]) for other in found[1:] for name in found[0])


# what it refuses


@pytest.mark.parametrize("how", [{"share": 0.0}, {"share": 1.0}, {"rate": 0.0}, {"share": math.nan}, {"rate": -1.0}])
def test_a_share_or_rate_that_leaves_a_phase_nothing_is_refused(how: dict[str, float]) -> None:
    with pytest.raises(TlbookError, match=r"^(share|rate) is .*; expected a number, above 0[^\n]*$"):
        make(**how)


@pytest.mark.parametrize("last", [nn.Sigmoid(), nn.Softmax(dim=1)])
def test_a_domain_head_that_ends_in_a_probability_is_refused(last: nn.Module) -> None:
    with pytest.raises(TlbookError, match=r"^domain_head ends in S\w+"):
        ADDA(nets.mlp(5, 6), nets.mlp(6, 2), nn.Sequential(nn.Linear(6, 1), last))


def test_without_a_target_there_is_one_line() -> None:
    source, _ = domains()
    with pytest.raises(TlbookError, match=r"^no unlabelled rows are given to ADDA; [^\n]*give fit a target$"):
        fit(ADDA(nets.mlp(5, 6), nets.mlp(6, 2), nets.mlp(6, 1)), source, steps=4, batch_size=8)


def test_constant_features_give_finite_terms() -> None:
    method, source, target = double()
    terms = method.losses(Batch(source.x * 0, source.y), Batch(target.x * 0), 0.5)
    total = torch.stack(list(terms.values())).sum()
    total.backward()
    assert total.isfinite()
    assert all(p.grad.isfinite().all() for p in method.features.parameters() if p.grad is not None)


# whose rows


@pytest.mark.parametrize("kind", ["ADDA", "IWAN"])
def test_rows_of_the_source_are_read_with_the_encoder_of_the_source(kind: str) -> None:
    torch.manual_seed(0)
    method = make() if kind == "ADDA" else IWAN(encoder(), nets.mlp(6, 2), nets.mlp(6, 7, 1), nets.mlp(6, 7, 1))
    source, target = domains(shift=4.0)
    fit(method, source, target, steps=60, batch_size=16, optimizer=sgd, precision="fp32")
    features = {"source": method.source_features, "target": method.features}
    logits = {side: evaluate.apply(nn.Sequential(part, method.label_head), source) for side, part in features.items()}
    assert not torch.equal(logits["source"].argmax(1), logits["target"].argmax(1))
    for side, expected in logits.items():
        assert torch.equal(evaluate.logits_of(method, source, statistics=side), expected)  # type: ignore[arg-type]
        assert torch.equal(
            evaluate.features_of(method, source, statistics=side),  # type: ignore[arg-type]
            evaluate.apply(features[side], source),
        )
        right = (expected.argmax(1) == source.labels()).double().mean().item()
        assert evaluate.accuracy(method, source, statistics=side) == right  # type: ignore[arg-type]
        with nets.classify_as(method, side):  # type: ignore[arg-type]
            assert torch.equal(evaluate.logits_of(method, source), expected)
    assert torch.equal(evaluate.logits_of(method, source), logits["target"])
    assert torch.equal(evaluate.features_of(method, source), evaluate.apply(method.features, source))
    assert selection.source_risk(method, source) == 1 - evaluate.accuracy(method, source, statistics="source")
    assert selection.target_entropy(method, source.unlabelled()) == losses.entropy(logits["target"]).item()


def test_what_validates_is_read_with_the_encoder_of_the_source() -> None:
    method, (source, target) = make(), domains(shift=4.0)
    held, _ = source.split(0.4, seed=0)
    history = fit(
        method, source, target, steps=40, batch_size=16, optimizer=sgd, precision="fp32", validate=held, progress=False
    )
    still = {accuracy for step, accuracy in history.validation.items() if step > 20}
    assert still == {evaluate.accuracy(method, held, statistics="source")}  # M_s and C stand still by then
    assert evaluate.accuracy(method, held, statistics="target") not in still


def test_a_run_goes_on_after_its_source_was_scored(tmp_path: Path) -> None:
    source, target = domains()
    how = {"steps": 6, "batch_size": 8, "precision": "fp32", "checkpoint": tmp_path / "run.pt"}
    fit(make(), source, target, **how)  # type: ignore[arg-type]
    asked = make()
    evaluate.accuracy(asked, source, statistics="source")
    fit(asked, source, target, **how)  # type: ignore[arg-type]
