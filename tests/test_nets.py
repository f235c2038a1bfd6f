"""Shapes of the networks, and batch statistics against numpy."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tlbook import nets
from tlbook.errors import TlbookError


def test_pixels_maps_bytes_to_plus_minus_one_half() -> None:
    x = torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8)
    before = x.clone()
    expected = np.arange(256, dtype=np.float64).reshape(4, 1, 8, 8) / 255 - 0.5
    np.testing.assert_allclose(nets.Pixels()(x).numpy(), expected, atol=1e-7)
    assert torch.equal(x, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("mean", "std"), [(0.5, 1.0), (0.25, 0.5), ((0.5, 0.25, 0.125), (0.5, 0.25, 1.0))])
def test_pixels_of_floats_are_those_of_their_bytes(mean: Any, std: Any, dtype: torch.dtype) -> None:
    pixels, x = nets.Pixels(mean=mean, std=std), torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    floats = (x.double() / 255).to(dtype)
    before = floats.clone()
    parts = (np.broadcast_to(np.reshape(np.array(numbers), (-1, 1, 1)), (3, 1, 1)) for numbers in (mean, std))
    centre, scale = parts
    expected = (x.numpy() / 255 - centre) / scale
    error = {torch.float32: 1e-6, torch.float64: 1e-12, torch.bfloat16: 0.04}[dtype]
    assert pixels(floats).dtype == dtype
    assert pixels(x).dtype == torch.float32
    np.testing.assert_allclose(pixels(floats).double().numpy(), expected, atol=error)
    np.testing.assert_allclose(pixels(x).numpy(), expected, atol=1e-6)
    assert torch.equal(floats, before)
    other = nets.Pixels(mean=[0.1] * np.size(mean), std=[0.1] * np.size(std))
    other.load_state_dict(pixels.state_dict())
    assert torch.equal(other(x), pixels(x))  # whoever loads the weights reads the images as they were read


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (torch.full((1, 3, 2, 2), 7.0), "the batch has floats from 7 to 7; expected images in 0…1"),
        (torch.full((1, 3, 2, 2), -0.1), "the batch has floats from -0.1 to -0.1; expected images in 0…1"),
        (torch.full((1, 3, 2, 2), float("nan")), "the batch has floats from nan to nan; expected images in 0…1"),
        (torch.zeros(1, 3, 2, 2, dtype=torch.int64), "the batch has type torch.int64; expected images as uint8"),
    ],
)
def test_pixels_outside_the_range_are_refused(x: Tensor, said: str) -> None:
    with pytest.raises(TlbookError) as caught:
        nets.Pixels()(x)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("x", [torch.zeros(2, 1, 4, 4), torch.zeros(3, 4), torch.zeros(2, 3, 4)])
def test_pixels_of_other_channels_are_refused(x: Tensor) -> None:
    with pytest.raises(TlbookError, match=r"^the batch has shape \(.*\), and Pixels 3 channels; expected N×3×H×W: .*"):
        nets.Pixels(mean=(0.1, 0.2, 0.3))(x)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"mean": (123.7, 116.3, 103.5)},
            r"^mean is \[123.7, .*; expected one or more numbers, each at least 0 ",
        ),
        ({"mean": -0.1}, "^mean is "),
        ({"mean": ()}, "^mean is "),
        ({"mean": float("nan")}, "^mean is "),
        ({"mean": "0.5"}, "^mean is '0.5'; expected one or more numbers"),
        ({"std": 0.0}, "^std is "),
        ({"std": (58.4, 57.1, 57.4)}, r"^std is .*: give those of pixels in 0 … 1, not in 0 … 255$"),
        ({"mean": (0.1, 0.2, 0.3), "std": (0.1, 0.2)}, "^mean has 3 channels, std 2; expected as many: "),
    ],
)
def test_pixels_take_settings_that_mean_something(settings: Any, said: str) -> None:
    with pytest.raises(TlbookError, match=said) as caught:
        nets.Pixels(**settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [np.array([0.5, 0.25, 0.125]), torch.tensor([0.5, 0.25, 0.125]), [0.5, 0.25, 0.125]])
def test_pixels_take_means_as_arrays(given: Any) -> None:
    x = torch.rand(2, 3, 4, 4)
    assert torch.equal(nets.Pixels(mean=given)(x), nets.Pixels(mean=(0.5, 0.25, 0.125))(x))
    assert torch.equal(nets.Pixels(mean=torch.tensor(0.25))(x), nets.Pixels(mean=0.25)(x))


# DomainBatchNorm


def two_domains(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    source = 3 + 2 * torch.randn(6, 4, 5, 5, generator=generator)
    target = -1 + 0.5 * torch.randn(6, 4, 5, 5, generator=generator)
    return torch.cat([source, target])


def trained(steps: int = 1) -> nets.DomainBatchNorm:
    norm = nets.DomainBatchNorm(4)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, -1.0, 0.5]))
        norm.bias.copy_(torch.tensor([0.0, 1.0, 2.0, -3.0]))
    for step in range(steps):
        norm(two_domains(step))
    return norm


def test_each_half_is_normalised_by_its_own_mean_and_variance() -> None:
    norm, x = trained(0), two_domains()
    out = norm(x).detach().numpy()
    scale, shift = (p.detach().numpy()[:, None, None] for p in (norm.weight, norm.bias))
    for half in (slice(0, 6), slice(6, 12)):
        part = x[half].double().numpy()
        mean, var = part.mean(axis=(0, 2, 3), keepdims=True), part.var(axis=(0, 2, 3), keepdims=True)
        np.testing.assert_allclose(out[half], scale * (part - mean) / np.sqrt(var + 1e-5) + shift, atol=1e-5)


def test_running_statistics_are_those_of_each_domain_alone() -> None:
    norm = trained(3)
    mean = {"source": np.zeros(4), "target": np.zeros(4)}
    var = {"source": np.ones(4), "target": np.ones(4)}
    for step in range(3):
        for domain, part in zip(mean, two_domains(step).chunk(2), strict=True):
            rows = part.double().numpy()
            mean[domain] = 0.9 * mean[domain] + 0.1 * rows.mean(axis=(0, 2, 3))
            var[domain] = 0.9 * var[domain] + 0.1 * rows.var(axis=(0, 2, 3)) * 150 / 149  # unbiased, as torch keeps it
    assert norm.running_mean is not None
    assert norm.running_var is not None
    np.testing.assert_allclose(norm.source_mean, mean["source"], rtol=1e-5)
    np.testing.assert_allclose(norm.running_mean, mean["target"], rtol=1e-5)
    np.testing.assert_allclose(norm.source_var, var["source"], rtol=1e-5)
    np.testing.assert_allclose(norm.running_var, var["target"], rtol=1e-5)


def test_it_equals_one_batch_norm_a_domain_in_training_and_evaluation() -> None:
    alone = [nn.BatchNorm2d(4), nn.BatchNorm2d(4)]
    both = nets.DomainBatchNorm(4)
    for step in range(3):
        x = two_domains(step)
        expected = torch.cat([norm(half) for norm, half in zip(alone, x.chunk(2), strict=True)])
        torch.testing.assert_close(both(x), expected)
    x = two_domains(9)
    both.eval()
    for domain, norm in zip(("source", "target"), alone, strict=True):
        nets.classify_as(both, domain)
        torch.testing.assert_close(both(x), norm.eval()(x))


def test_evaluation_uses_the_target_unless_told_and_changes_no_statistics() -> None:
    norm = trained().eval()
    x, before = two_domains(5), copy.deepcopy(norm.state_dict())
    by_default = norm(x)
    nets.classify_as(nn.Sequential(norm), "target")
    assert torch.equal(norm(x), by_default)
    nets.classify_as(nn.Sequential(norm), "source")
    assert not torch.allclose(norm(x), by_default)
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


def test_one_domain_does_not_leak_into_the_other() -> None:
    norm, x = trained(0), two_domains()
    other = torch.cat([x[:6], 100 * x[6:]])
    assert torch.equal(norm(x)[:6], norm(other)[:6])


def test_an_odd_batch_is_refused() -> None:
    with pytest.raises(TlbookError, match=r"^the batch has 5 rows; expected an even number[^\n]*$"):
        nets.DomainBatchNorm(4)(torch.zeros(5, 4, 2, 2))


def test_starting_anew_forgets_both_domains() -> None:
    norm = trained(3)
    norm.reset_parameters()
    new = nets.DomainBatchNorm(4).state_dict()
    assert all(torch.equal(value, new[name]) for name, value in norm.state_dict().items())


def test_the_statistics_of_both_domains_are_saved() -> None:
    norm, loaded = trained(2), nets.DomainBatchNorm(4)
    loaded.load_state_dict(norm.state_dict())
    nets.classify_as(norm.eval(), "source")
    nets.classify_as(loaded.eval(), "source")
    assert torch.equal(norm(two_domains(7)), loaded(two_domains(7)))


def test_classify_as_holds_to_the_end_of_a_with_statement() -> None:
    norm, x = trained().eval(), two_domains(5)
    by_default = norm(x)
    with nets.classify_as(nn.Sequential(norm), "source"):
        assert not torch.equal(norm(x), by_default)
        with nets.classify_as(norm, "target"):
            assert torch.equal(norm(x), by_default)
        assert norm.domain == "source"
    assert torch.equal(norm(x), by_default)
    with pytest.raises(RuntimeError), nets.classify_as(norm, "source"):
        raise RuntimeError
    assert norm.domain == "target"


@pytest.mark.parametrize("momentum", [0.0, 0.3, 1.0, None])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(
    ("plain", "places"),
    [(nn.BatchNorm1d, ()), (nn.BatchNorm1d, (5,)), (nn.BatchNorm2d, (3, 2)), (nn.BatchNorm3d, (2, 3, 2))],
)
def test_a_converted_layer_is_one_batch_norm_a_domain(
    plain: type[nn.BatchNorm2d], places: tuple[int, ...], affine: bool, momentum: float | None
) -> None:
    torch.manual_seed(0)
    trained = plain(4, eps=1e-3, momentum=momentum, affine=affine).double()
    for _ in range(3):
        trained(1 + 2 * torch.randn(6, 4, *places).double())
    alone = {domain: copy.deepcopy(trained) for domain in ("source", "target")}
    net = nn.Sequential(copy.deepcopy(trained))
    weights = list(net.parameters())
    assert nets.DomainBatchNorm.convert(net) is net
    both = net[0]
    assert isinstance(both, nets.DomainBatchNorm)
    assert [id(w) for w in net.parameters()] == [id(w) for w in weights]
    for step in range(3):
        x = {domain: step * i + torch.randn(6, 4, *places).double() for i, domain in enumerate(alone, start=1)}
        expected = torch.cat([alone[domain](x[domain]) for domain in alone])
        torch.testing.assert_close(net(torch.cat(list(x.values()))), expected)
    net.eval()
    for domain, norm in alone.items():
        with nets.classify_as(net, domain):  # type: ignore[arg-type]
            torch.testing.assert_close(net(x[domain]), norm.eval()(x[domain]))
    assert both.num_batches_tracked == alone["source"].num_batches_tracked


def test_convert_changes_nothing_in_evaluation_and_keeps_modes_devices_and_shared_layers() -> None:
    torch.manual_seed(0)
    shared = nn.BatchNorm1d(3)
    net = nn.Sequential(nn.Linear(4, 3), shared, nn.Sequential(nn.ReLU(), shared), nn.BatchNorm1d(3).eval().half())
    net[1].weight.requires_grad_(False)  # type: ignore[union-attr]
    x = torch.randn(5, 4)
    before = copy.deepcopy(net).eval().float()(x)
    nets.DomainBatchNorm.convert(net)
    assert net[1] is net[2][1]  # type: ignore[index]
    assert not net[1].weight.requires_grad  # type: ignore[union-attr]
    assert (net[1].training, net[3].training, net[3].source_mean.dtype) == (True, False, torch.float16)
    assert torch.equal(net.eval().float()(x), before)
    alone = nets.DomainBatchNorm.convert(nn.BatchNorm2d(3))
    assert isinstance(alone, nets.DomainBatchNorm)
    assert nets.DomainBatchNorm.convert(alone) is alone


class BatchNormAct2d(nn.BatchNorm2d):
    """As timm's: normalisation, dropout and an activation in one layer."""

    def __init__(self) -> None:
        super().__init__(3)
        self.drop, self.act = nn.Identity(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.drop(super().forward(x)))
        return out


class Doubled(nn.BatchNorm1d):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def test_convert_keeps_the_activation_of_timms_layers() -> None:
    net, x = nn.Sequential(BatchNormAct2d()).eval(), torch.randn(4, 3, 2, 2)
    before = net(x)
    assert torch.equal(nets.DomainBatchNorm.convert(net)(x), before)
    assert any(isinstance(layer, nets.DomainBatchNorm) for layer in net.modules())


@pytest.mark.parametrize(
    ("layer", "line"),
    [
        (nn.BatchNorm2d(3, track_running_stats=False), r"^1 is BatchNorm2d without running statistics; expected"),
        (nn.LazyBatchNorm1d(), r"^1 is LazyBatchNorm1d without a width; expected"),
        (Doubled(3), r"^1 is Doubled, whose forward is its own; expected"),
    ],
)
def test_convert_says_what_it_cannot_take(layer: nn.Module, line: str) -> None:
    with pytest.raises(TlbookError, match=line + r"[^\n]*$"):
        nets.DomainBatchNorm.convert(nn.Sequential(nn.Identity(), layer))


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 2, 2)])
def test_domain_batch_norm_knows_its_channels(shape: tuple[int, ...]) -> None:
    with pytest.raises(TlbookError, match=r"^x has shape .*; expected N×4×…[^\n]*$"):
        nets.DomainBatchNorm(4)(torch.zeros(shape))


def test_one_row_a_domain_has_no_variance() -> None:
    with pytest.raises(
        TlbookError, match=r"^the batch has at most one value a channel of each domain; expected two[^\n]*$"
    ):
        nets.DomainBatchNorm(4)(torch.zeros(2, 4))


def test_classify_as_knows_two_domains() -> None:
    with pytest.raises(
        TlbookError, match=r"^domain is 'sauce'; expected 'source' or 'target': did you mean 'source'\?$"
    ):
        nets.classify_as(nn.Identity(), "sauce")  # type: ignore[arg-type]


# networks


def test_the_digit_network_has_the_papers_layers_and_768_features() -> None:
    net = nets.conv_features()
    assert [name for name, _ in net.named_children()] == ["pixels", "conv1", "conv2", "flatten"]
    shapes = [tuple(p.shape) for p in net.parameters()]
    assert shapes == [(32, 3, 5, 5), (32,), (48, 32, 5, 5), (48,)]
    assert net(torch.zeros(2, 3, 28, 28, dtype=torch.uint8)).shape == (2, 768)


def test_pooling_before_the_relu_changes_nothing() -> None:
    torch.manual_seed(0)
    net = nets.conv_features(channels=1).double()
    x = torch.rand(3, 1, 28, 28, dtype=torch.float64)
    a, b = net.conv1[0], net.conv2[0]  # type: ignore[index]
    by_the_book = nn.functional.max_pool2d(torch.relu(a(x - 0.5)), 2)
    by_the_book = nn.functional.max_pool2d(torch.relu(b(by_the_book)), 2).flatten(1)
    torch.testing.assert_close(net(x), by_the_book)


@pytest.mark.parametrize(
    ("channels", "size", "widths", "kernel", "features"),
    [(1, 28, (32, 48), 5, 768), (3, 32, (32, 48), 5, 1200), (1, 16, (8,), 3, 392), (3, 28, (4, 5, 6), 3, 6)],
)
def test_conv_features_of_other_sizes(
    channels: int, size: int, widths: tuple[int, ...], kernel: int, features: int
) -> None:
    net = nets.conv_features(channels, widths, kernel)
    assert net(torch.zeros(2, channels, size, size)).shape == (2, features)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nets.DomainBatchNorm])
def test_conv_features_normalise_after_each_convolution(norm: type[nn.Module]) -> None:
    net = nets.conv_features(norm=norm)
    kinds = [type(layer) for block in net.children() for layer in block.children()]
    assert kinds == 2 * [nn.Conv2d, norm, nn.MaxPool2d, nn.ReLU]
    assert net(torch.zeros(4, 3, 28, 28)).shape == (4, 768)


def test_mlp_is_linear_layers_with_relu_between_them() -> None:
    torch.manual_seed(0)
    net = nets.mlp(5, 4, 3).double()
    x = torch.randn(7, 5, dtype=torch.float64)
    (w1, b1, w2, b2) = (p.detach().numpy() for p in net.parameters())
    expected = np.maximum(x.numpy() @ w1.T + b1, 0) @ w2.T + b2
    np.testing.assert_allclose(net(x).detach().numpy(), expected, atol=1e-12)
    assert [name for name, _ in net.named_children()] == ["fc1", "fc2"]


@pytest.mark.parametrize("widths", [(), (5,)])
def test_mlp_needs_an_input_and_an_output(widths: tuple[int, ...]) -> None:
    with pytest.raises(TlbookError, match=r"expected at least two"):
        nets.mlp(*widths)


SIZES = [0, -1, 2.5, float("nan"), float("inf"), "text", None, True]
BUILDERS: list[tuple[Callable[..., object], dict[str, int], tuple[str, ...]]] = [
    (nets.CapsuleLayer, {"inputs": 3, "width": 2, "outputs": 2, "out_width": 2}, ("iterations",)),
    (nets.PrimaryCapsules, {"channels": 1}, ("kinds", "width", "kernel", "stride")),
    (nets.ClasswiseMLP, {"width": 2, "hidden": 2, "classes": 2}, ()),
    (nets.conv_features, {}, ("channels", "kernel")),
    (nets.DomainBatchNorm, {"channels": 3}, ()),
]


@pytest.mark.parametrize("bad", SIZES)
@pytest.mark.parametrize(("build", "needed", "others"), BUILDERS)
def test_sizes_that_mean_nothing_are_refused(
    build: Callable[..., object], needed: dict[str, int], others: tuple[str, ...], bad: Any
) -> None:
    for name in (*needed, *others):
        with pytest.raises(TlbookError, match=rf"^{name} is [^\n]*; expected [^\n]*$"):
            build(**(needed | {name: bad}))


@pytest.mark.parametrize("bad", SIZES)
def test_widths_and_iterations_that_mean_nothing_are_refused(bad: Any) -> None:
    for call in (
        lambda: nets.mlp(3, bad),
        lambda: nets.conv_features(widths=(4, bad)),
        lambda: nets.route(torch.ones(2, 3, 2, 2), bad),
    ):
        with pytest.raises(TlbookError, match=r"^(a width of the mlp|widths|a width|iterations) is [^\n]*; expected"):
            call()


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), "text"])
@pytest.mark.parametrize("name", ["eps", "momentum", "affine"])
def test_settings_of_domain_batch_norm(name: str, bad: Any) -> None:
    with pytest.raises(TlbookError, match=rf"^{name} is [^\n]*; expected [^\n]*$"):
        nets.DomainBatchNorm(3, **{name: bad})


@pytest.mark.parametrize("through", ["lats", None, 1, ""])
def test_what_a_gradient_passes_through_is_last_or_all(through: Any) -> None:
    for call in (
        lambda: nets.route(torch.ones(2, 3, 2, 2), 3, through),
        lambda: nets.CapsuleLayer(1, 1, 1, 1, 3, through),
    ):
        with pytest.raises(TlbookError, match=r"^through is [^\n]*; expected 'last' or 'all'[^\n]*$"):
            call()


def test_squash_of_whole_numbers_is_that_of_the_same_floats() -> None:
    s = torch.tensor([[3, 4], [0, 0], [-7, 1]])
    for dtype in (torch.int64, torch.int8):
        assert torch.equal(nets.squash(s.to(dtype)), nets.squash(s.float()))


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e8, 1e12, 1e19, 1e25, 3e38])
def test_squash_and_routing_of_any_length_are_finite_and_right(size: float) -> None:
    s = torch.tensor([[0.6, 0.8], [0.8, -0.6]]).mul(size).requires_grad_()
    exact = s.detach().double().requires_grad_()
    for of in (s, exact):
        nets.squash(of)[:, 0].sum().backward()
    torch.testing.assert_close(nets.squash(s).double(), nets.squash(exact), rtol=1e-6, atol=1e-7)
    assert s.grad is not None
    assert exact.grad is not None
    torch.testing.assert_close(s.grad.double() * size, exact.grad * size, rtol=1e-4, atol=1e-6)
    layer = nets.CapsuleLayer(3, 2, 2, 4)
    with torch.no_grad():
        layer.weight.mul_(min(size, 1e30))
    u = torch.randn(2, 3, 2, requires_grad=True)
    layer(u).sum().backward()
    assert u.grad is not None
    assert u.grad.isfinite().all()


def test_classwise_heads_start_as_linear_layers_do() -> None:
    """Uniform up to 1/√inputs, in both layers, weights and biases."""
    torch.manual_seed(0)
    for name, w in nets.ClasswiseMLP(16, 25, 4000).named_parameters():
        bound = 1 / 4 if name.startswith("hidden") else 1 / 5
        assert w.abs().max().item() == pytest.approx(bound, rel=1e-3), name
        assert w.abs().max().item() <= bound + 1e-7, name
        assert w.std().item() == pytest.approx(bound / 3**0.5, rel=0.03), name
        assert abs(w.mean().item()) < 0.01, name
