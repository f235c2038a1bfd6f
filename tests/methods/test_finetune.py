"""Fine-tuning and its relatives: the equations by other formulas, what moves, and what must not move by a bit."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tlbook import fit, nets
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods import L2SP, Batch, FineTune, LayerTransfer, Method, OutputConservative, SourceOnly

CLASSES = ("a", "b", "c")
Snapshot = dict[str, Tensor]


def net(seed: int = 0, norm: type[nn.Module] | None = nn.BatchNorm2d) -> SourceOnly:
    torch.manual_seed(seed)
    return SourceOnly(nets.conv_features(channels=1, widths=(3, 4), kernel=3, norm=norm), nets.mlp(16, 6, 3))


def flat(seed: int = 0) -> SourceOnly:
    torch.manual_seed(seed)
    features = nn.Sequential(OrderedDict(hidden=nn.Linear(4, 5), act=nn.Tanh()))
    return SourceOnly(features, nets.mlp(5, 3)).double()


def images(seed: int = 0, n: int = 30) -> Domain:
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(3, (n,), generator=draw)
    return Domain(f"images-{seed}", (torch.rand(n, 1, 14, 14, generator=draw) + y[:, None, None, None]) / 3, y, CLASSES)


def batch(seed: int = 0, n: int = 7) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=draw, dtype=torch.float64)
    return Batch(x, torch.randint(3, (n,), generator=draw))


def terms(method: Method, rows: Batch) -> dict[str, Tensor]:
    return method.losses(rows, Batch(rows.x[:0]), progress=0.5)


def move(method: nn.Module, seed: int = 5) -> None:
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for w in method.parameters():
            if w.requires_grad:
                w += 0.3 * torch.randn(w.shape, generator=draw, dtype=w.dtype)


def snapshot(module: nn.Module) -> Snapshot:
    """What could move: all but the settings of the pixels."""
    return {name: value.clone() for name, value in module.state_dict().items() if ".pixels." not in name}


def changed(before: Snapshot, module: nn.Module) -> set[str]:
    return {name for name, value in snapshot(module).items() if not torch.equal(value, before[name])}


def train(method: Method, domain: Domain | None = None) -> None:
    fit(method, domain or images(), steps=6, batch_size=8, seed=1, precision="fp32", device="cpu")


# What is trained and what is not


def test_fine_tuning_starts_at_the_source_and_leaves_it_as_it_was() -> None:
    source = net()
    before = snapshot(source)
    method = FineTune(source.features, nets.mlp(16, 3))
    assert not changed(snapshot(source.features), method.features)
    train(method)
    assert not changed(before, source)
    names = {name for name, _ in source.features.named_parameters()}
    assert changed(snapshot(source.features), method.features) >= names


def test_frozen_features_stay_bit_identical_with_the_statistics_of_their_batch_norm() -> None:
    source = net()
    train(source, images(3))
    method = FineTune(source.features, nets.mlp(16, 3), frozen=True)
    head = snapshot(method.label_head)
    train(method)
    assert not changed(snapshot(source.features), method.features)
    assert changed(head, method.label_head) == set(head)


def test_unfrozen_batch_norm_learns_its_statistics() -> None:
    source = net()
    method = FineTune(source.features, nets.mlp(16, 3))
    train(method)
    assert "conv1.1.running_mean" in changed(snapshot(source.features), method.features)


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_features_drop_nothing_out(frozen: bool) -> None:
    method = FineTune(nn.Sequential(nn.Linear(196, 5), nn.Dropout(0.5)), nn.Linear(5, 3), frozen=frozen)
    dropped: list[bool] = []
    method.features[1].register_forward_hook(lambda _, args, out: dropped.append(not torch.equal(args[0], out)))
    rows = images()
    train(method, replace(rows, x=rows.x.flatten(1)))
    assert dropped == [False] + 6 * [not frozen]  # the first is a look at the rows, in evaluation mode


# L2-SP


def test_l2_sp_pulls_to_the_start_and_the_new_head_to_zero() -> None:
    source = flat()
    method = L2SP(source.features, flat(1).label_head, alpha=0.7, beta=0.2)
    move(method)
    got = terms(method, batch())
    start = sum(
        (a - b) ** 2
        for w, w0 in zip(method.features.parameters(), source.features.parameters(), strict=True)
        for a, b in zip(w.flatten(), w0.flatten(), strict=True)
    )
    head = sum(a**2 for w in method.label_head.parameters() for a in w.flatten())
    assert list(got) == ["label", "start", "head"]
    torch.testing.assert_close(got["start"], 0.7 / 2 * start)
    torch.testing.assert_close(got["head"], 0.2 / 2 * head)
    torch.testing.assert_close(got["label"], terms(FineTune(method.features, method.label_head), batch())["label"])


def test_the_pull_of_l2_sp_is_alpha_times_the_way_it_came() -> None:
    source = flat()
    method = L2SP(source.features, flat(1).label_head, alpha=0.7, beta=0.2)
    move(method)
    got = terms(method, batch())
    (got["start"] + got["head"]).backward()
    for w, w0 in zip(method.features.parameters(), source.features.parameters(), strict=True):
        torch.testing.assert_close(w.grad, 0.7 * (w - w0).detach())
    for w in method.label_head.parameters():
        torch.testing.assert_close(w.grad, 0.2 * w.detach())


def test_without_weights_l2_sp_is_fine_tuning() -> None:
    head = nets.mlp(16, 3)
    plain = FineTune(net().features, copy.deepcopy(head))
    free = L2SP(net().features, copy.deepcopy(head), alpha=0.0, beta=0.0)
    train(plain)
    train(free)
    assert not changed(snapshot(plain), nn.ModuleDict({"features": free.features, "label_head": free.label_head}))


def test_the_reference_of_l2_sp_does_not_move_and_holds_the_weights_near() -> None:
    source = net(norm=None)
    ways = []
    for alpha in (0.0, 100.0):
        method = L2SP(source.features, nets.mlp(16, 3), alpha=alpha)
        train(method)
        assert not changed(snapshot(source.features), method.start)
        pairs = zip(method.features.parameters(), source.features.parameters(), strict=True)
        ways.append(sum((w - w0).square().sum().item() for w, w0 in pairs))
    assert 0 < ways[1] < ways[0] / 4


def test_l2_sp_can_hold_a_whole_model_without_a_new_head() -> None:
    source = flat()
    method = L2SP(source, nn.Identity(), alpha=1.0)
    move(method)
    got = terms(method, batch())
    assert got["head"].item() == 0
    way = torch.cat([(w - v).flatten() for w, v in zip(method.parameters(), source.parameters(), strict=False)])
    torch.testing.assert_close(got["start"], way @ way / 2)


@pytest.mark.parametrize(("alpha", "beta"), [(-0.1, 0.0), (0.1, -1.0), (float("nan"), 0.0)])
def test_l2_sp_takes_no_negative_weight(alpha: float, beta: float) -> None:
    with pytest.raises(TlbookError, match=r"(alpha|beta) is .*; expected a number, at least 0"):
        L2SP(flat().features, nets.mlp(5, 3), alpha=alpha, beta=beta)


# Output penalty


def test_at_temperature_one_the_output_penalty_is_cross_entropy_with_mixed_targets() -> None:
    """Yu et al., ICASSP 2013: the target is (1 − ρ)·hard + ρ·p of the source model; the entropy of p is constant."""
    source, rho, rows = flat(), 0.3, batch()
    method = OutputConservative(source, rho=rho)
    move(method)
    p = torch.softmax(source(rows.x), dim=1).detach()
    mixed = (1 - rho) * torch.eye(3, dtype=torch.float64)[rows.labels] + rho * p
    log_q = method(rows.x) - method(rows.x).exp().sum(dim=1, keepdim=True).log()
    constant = rho * (p * p.log()).sum(dim=1).mean()
    got = terms(method, rows)
    assert list(got) == ["label", "output"]
    torch.testing.assert_close(got["label"] + got["output"], -(mixed * log_q).sum(dim=1).mean() + constant)


def test_the_temperature_softens_both_sides_and_squares_into_the_weight() -> None:
    source, rows = flat(), batch()
    method = OutputConservative(source, rho=0.4, temperature=3.0)
    move(method)
    p, q = (torch.softmax(m(rows.x) / 3.0, dim=1) for m in (source, method))
    kl = sum((p[i, k] * (p[i, k] / q[i, k]).log()) for i in range(len(p)) for k in range(3)) / len(p)
    torch.testing.assert_close(terms(method, rows)["output"], 0.4 * 9.0 * kl)


def test_the_source_model_is_asked_in_evaluation_mode_and_stays_as_it_is() -> None:
    source = net()
    method = OutputConservative(source, rho=0.5)
    history = fit(method, images(), steps=6, batch_size=30, precision="fp32", device="cpu")
    assert not changed(snapshot(source), method.source_model)
    logits, before = net().train()(images().x), source.eval()(images().x)
    kl = (before.softmax(1) * (before.log_softmax(1) - logits.log_softmax(1))).sum(dim=1).mean()
    assert history.terms["output"][0] == pytest.approx(0.5 * kl.item(), rel=1e-5)


def test_with_rho_one_nothing_pulls_away_from_the_source_model() -> None:
    method = OutputConservative(flat(), rho=1.0)
    torch.stack(list(terms(method, batch()).values())).sum().backward()
    for w in [*method.features.parameters(), *method.label_head.parameters()]:
        torch.testing.assert_close(w.grad, torch.zeros_like(w), atol=1e-12, rtol=0.0)


def test_with_rho_zero_it_is_fine_tuning() -> None:
    free, plain = OutputConservative(net(), rho=0.0), net()
    train(free)
    train(plain)
    for w, v in zip(free.features.parameters(), plain.features.parameters(), strict=True):
        torch.testing.assert_close(w, v)


@pytest.mark.parametrize("rho", [-0.1, 1.1, float("nan")])
def test_rho_is_a_share(rho: float) -> None:
    with pytest.raises(TlbookError, match=r"rho is .*; expected a number, at least 0 and at most 1"):
        OutputConservative(flat(), rho=rho)


# Gradients


@pytest.mark.parametrize(
    "make",
    [
        lambda source: L2SP(source.features, flat(1).label_head, alpha=0.7, beta=0.2),
        lambda source: OutputConservative(source, rho=0.4, temperature=2.0),
    ],
    ids=["L2SP", "OutputConservative"],
)
def test_gradients_agree_with_finite_differences(make: Callable[[Method], Method]) -> None:
    method, rows = make(flat()), batch()
    move(method)
    free = {name: w.detach().clone().requires_grad_() for name, w in method.named_parameters() if w.requires_grad}

    class Terms(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.method = method

        def forward(self) -> tuple[Tensor, ...]:
            return tuple(terms(self.method, rows).values())

    def as_function(*weights: Tensor) -> tuple[Tensor, ...]:
        values = {f"method.{name}": w for name, w in zip(free, weights, strict=True)}
        result: tuple[Tensor, ...] = torch.func.functional_call(Terms(), values, ())
        return result

    assert torch.autograd.gradcheck(as_function, tuple(free.values()))


# Layer transfer


@pytest.mark.parametrize("words", ["", "conv1", "fc1", "conv1 conv2 fc1", "conv1 conv2 fc1 fc2"])
def test_exactly_the_named_layers_are_copied(words: str) -> None:
    copied, source = words.split(), net()
    move(source)  # batch norm's scale and shift start equal in every network
    train(source)
    before = snapshot(source)
    method = LayerTransfer(source, copied=copied)
    same = set(before) - changed(before, method)
    assert same == {name for name in before if name.split(".")[1] in copied}
    assert not changed(before, source)


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_copies_stay_bit_identical_and_everything_else_learns(frozen: bool) -> None:
    source = net()
    method = LayerTransfer(source, copied=["conv1", "fc1"], frozen=frozen)
    before = snapshot(method)
    train(method)
    held = {name for name in before if name.split(".")[1] in ("conv1", "fc1")} if frozen else set()
    assert changed(before, method) == set(before) - held


@pytest.mark.parametrize("frozen", [True, False])
def test_a_source_that_was_frozen_keeps_its_copies_frozen_and_not_what_is_new(frozen: bool) -> None:
    method = LayerTransfer(net().requires_grad_(False), copied=["conv1", "fc1"], frozen=frozen)
    before = snapshot(method)
    train(method)
    assert changed(before, method) == {name for name in before if name.split(".")[1] in ("conv2", "fc2")}


def test_layers_that_start_anew_depend_on_the_seed_alone() -> None:
    source, drawn = net(7), []
    for _ in range(2):
        torch.manual_seed(4)
        drawn.append(LayerTransfer(source, copied=["conv1"]))
    assert not changed(snapshot(drawn[0]), drawn[1])


def test_layers_are_in_the_order_of_the_network_and_without_those_that_hold_nothing() -> None:
    assert list(LayerTransfer.layers(net())) == ["conv1", "conv2", "fc1", "fc2"]


def test_a_part_without_named_layers_is_one_layer_and_starts_anew() -> None:
    source = SourceOnly(nn.Linear(4, 5), nn.Linear(5, 3))
    method = LayerTransfer(source, copied=["features"])
    assert torch.equal(method.features.weight, source.features.weight)
    assert not torch.equal(method.label_head.weight, source.label_head.weight)


def test_an_unknown_layer_is_named_with_those_there_are() -> None:
    with pytest.raises(TlbookError, match=r"copied names \['conv9'\]; expected some of \['conv1', 'conv2', 'fc1', "):
        LayerTransfer(net(), copied=["conv9"])


def test_two_layers_of_one_name_are_an_error() -> None:
    with pytest.raises(TlbookError, match=r"called \['fc1', 'fc1', 'fc2'\]; expected each name once"):
        LayerTransfer(SourceOnly(nets.mlp(4, 5), nets.mlp(5, 6, 3)), copied=["fc1"])


def test_a_parameter_outside_every_layer_is_an_error() -> None:
    features = nn.Sequential(OrderedDict(hidden=nn.Linear(4, 5)))
    features.register_parameter("token", nn.Parameter(torch.zeros(5)))
    with pytest.raises(TlbookError, match=r"parameter features\.token belongs to none of the layers"):
        LayerTransfer(SourceOnly(features, nets.mlp(5, 3)), copied=["hidden"])


def test_a_layer_that_cannot_start_anew_is_an_error_unless_it_is_copied() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(5))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.weight

    source = SourceOnly(nn.Sequential(OrderedDict(hidden=nn.Linear(4, 5), scale=Scale())), nets.mlp(5, 3))
    LayerTransfer(source, copied=["hidden", "scale"])
    with pytest.raises(TlbookError, match=r"Scale has parameters but no reset_parameters\(\)"):
        LayerTransfer(source, copied=["hidden"])
