"""Routing against loops written from the paper's procedure, the margin loss by hand, and what the decoder may see."""

import inspect
import math
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from tlbook import fit, losses, nets
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods import Batch, CapsNet
from tlbook.methods.capsules import capsule_features, decoder

B, N, J, D = 3, 6, 4, 5  # batch, inputs, outputs, numbers
W = 2  # numbers of an input


def u_hat(seed: int = 0) -> Tensor:
    return torch.randn(B, N, J, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def layer(iterations: int = 3, through: Literal["last", "all"] = "last", seed: int = 0) -> nets.CapsuleLayer:
    torch.manual_seed(seed)
    made = nets.CapsuleLayer(N, W, J, D, iterations, through).double()
    nn.init.normal_(made.weight)
    return made


def capsules(seed: int = 1) -> Tensor:
    u = torch.randn(B, N, W, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return u.requires_grad_()


def by_hand(u_hat: list[list[list[float]]], iterations: int) -> tuple[list[list[float]], list[list[float]]]:
    """Procedure 1 for one example, in plain Python: the outputs and the couplings of the last iteration."""
    inputs, outputs, d = len(u_hat), len(u_hat[0]), len(u_hat[0][0])
    b = [[0.0] * outputs for _ in range(inputs)]
    for _ in range(iterations):
        c = [[math.exp(b[i][j]) / sum(math.exp(x) for x in b[i]) for j in range(outputs)] for i in range(inputs)]
        v = []
        for j in range(outputs):
            s = [sum(c[i][j] * u_hat[i][j][k] for i in range(inputs)) for k in range(d)]
            n = math.sqrt(sum(x * x for x in s))
            v.append([n * n / (1 + n * n) * x / n for x in s])
        for i in range(inputs):
            for j in range(outputs):
                b[i][j] += sum(u_hat[i][j][k] * v[j][k] for k in range(d))
    return v, c


# squash


def test_squash_keeps_the_direction_and_maps_the_length() -> None:
    s = torch.tensor([[3.0, 4.0], [0.03, 0.04], [-300.0, 400.0]], dtype=torch.float64)
    n = torch.tensor([5.0, 0.05, 500.0], dtype=torch.float64)
    v = nets.squash(s)
    torch.testing.assert_close(v.norm(dim=1), n**2 / (1 + n**2))
    torch.testing.assert_close(v / v.norm(dim=1, keepdim=True), s / n[:, None])
    torch.testing.assert_close(nets.squash(s.t(), dim=0), v.t())


@pytest.mark.parametrize(("dtype", "n"), [(torch.float16, 400.0), (torch.bfloat16, 400.0), (torch.float32, 1e15)])
def test_squash_of_long_vectors_is_the_direction(dtype: torch.dtype, n: float) -> None:
    v = nets.squash(torch.tensor([[0.6 * n, -0.8 * n]], dtype=dtype))
    assert v.dtype == dtype
    torch.testing.assert_close(v.float(), torch.tensor([[0.6, -0.8]]), atol=0.005, rtol=0)


def test_a_zero_vector_stays_zero_with_a_finite_gradient() -> None:
    for function in (nets.squash, lambda s: nets.Lengths()(s[None])):
        s = torch.zeros(2, 3, requires_grad=True)
        out = function(s)
        out.sum().backward()
        assert out.abs().max() == 0
        assert s.grad is not None
        assert s.grad.isfinite().all()


# routing


@pytest.mark.parametrize("iterations", [1, 2, 3, 5])
def test_routing_is_the_papers_procedure(iterations: int) -> None:
    predictions = u_hat()
    *_, (couplings, outputs) = nets.routing_steps(predictions, iterations)
    for row in range(B):
        v, c = by_hand(predictions[row].tolist(), iterations)
        torch.testing.assert_close(outputs[row], torch.tensor(v, dtype=torch.float64), atol=1e-12, rtol=0)
        torch.testing.assert_close(couplings[row], torch.tensor(c, dtype=torch.float64), atol=1e-12, rtol=0)
    assert torch.equal(nets.route(predictions, iterations), outputs)


def test_three_iterations_are_the_default() -> None:
    made, u = layer(), capsules()
    defaults = nets.CapsuleLayer(N, W, J, D).double()
    defaults.load_state_dict(made.state_dict())
    expected = nets.route(made.predictions(u), 3, "last")
    torch.testing.assert_close(defaults(u), expected)
    torch.testing.assert_close(nets.route(made.predictions(u)), expected)
    assert len(list(nets.routing_steps(u_hat()))) == 3
    assert (nets.route(made.predictions(u), 1) - expected).abs().max() > 0.01


def test_couplings_sum_to_1_over_the_outputs_and_start_equal() -> None:
    steps = list(nets.routing_steps(u_hat(), 4))
    assert len(steps) == 4
    assert torch.equal(steps[0][0], torch.full((B, N, J), 1 / J, dtype=torch.float64))
    for c, _ in steps:
        torch.testing.assert_close(c.sum(dim=2), torch.ones(B, N, dtype=torch.float64))
    assert (steps[-1][0].sum(dim=1) - 1).abs().max() > 0.1  # over the inputs they need not


def test_what_is_turned_before_is_turned_after() -> None:
    predictions = u_hat()
    turn, _ = torch.linalg.qr(torch.randn(D, D, dtype=torch.float64))
    torch.testing.assert_close(nets.route(predictions @ turn), nets.route(predictions) @ turn)
    torch.testing.assert_close(nets.route(-predictions), -nets.route(predictions))
    order, places = torch.randperm(N), torch.randperm(J)
    torch.testing.assert_close(nets.route(predictions[:, order]), nets.route(predictions))
    torch.testing.assert_close(nets.route(predictions[:, :, places]), nets.route(predictions)[:, places])


@pytest.mark.parametrize("iterations", [1, 2, 3, 4])
@pytest.mark.parametrize("through", ["last", "all"])
def test_the_layer_is_routing_of_its_predictions_in_value_and_gradient(
    iterations: int, through: Literal["last", "all"]
) -> None:
    made, u = layer(iterations, through), capsules()
    fast, slow = made(u), nets.route(made.predictions(u), iterations, through)
    torch.testing.assert_close(fast, slow, atol=1e-12, rtol=0)
    weights = torch.randn_like(fast)
    for a, b in zip(*(torch.autograd.grad((v * weights).sum(), (u, made.weight)) for v in (fast, slow)), strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=0)


@pytest.mark.parametrize("through", ["last", "all"])
def test_very_long_sums_have_finite_gradients_that_vanish(through: Literal["last", "all"]) -> None:
    made, u = layer(1, through).float(), (1e13 * capsules().detach()).float().requires_grad_()
    out = made(u)
    torch.testing.assert_close(out.norm(dim=2), torch.ones(B, J))
    out[:, :, 0].sum().backward()
    for grad in (u.grad, made.weight.grad):
        assert grad is not None
        assert grad.isfinite().all()


@pytest.mark.parametrize("through", ["last", "all"])
def test_no_rows_give_no_rows(through: Literal["last", "all"]) -> None:
    made, u = layer(through=through), torch.zeros(0, N, W, dtype=torch.float64, requires_grad=True)
    out = made(u)
    assert out.shape == (0, J, D)
    out.sum().backward()
    assert made.weight.grad is not None
    assert made.weight.grad.abs().max() == 0


def test_the_weights_start_with_a_tenth_each_input_its_own() -> None:
    torch.manual_seed(0)
    weight = nets.CapsuleLayer(100, 8, 10, 16).weight.detach()
    assert weight.std().item() == pytest.approx(0.1, abs=0.002)
    assert abs(weight.mean().item()) < 0.002
    assert all(weight.std(dim=dim).min() > 0.01 for dim in range(4))  # different along every dimension


def test_the_predictions_are_one_matrix_for_each_input_and_output() -> None:
    made, u = layer(), capsules()
    for i in range(N):
        for j in range(J):
            expected = u[:, i] @ made.weight[j, :, i]
            torch.testing.assert_close(made.predictions(u)[:, i, j], expected)


def test_the_gradient_through_all_is_that_of_the_function() -> None:
    made, u = layer(through="all"), capsules()
    assert torch.autograd.gradcheck(made, u)


def test_the_gradient_through_the_last_takes_the_couplings_as_constants() -> None:
    made, u = layer(), capsules()
    *_, (couplings, _) = nets.routing_steps(made.predictions(u).detach())

    def fixed(u: Tensor) -> Tensor:
        return nets.squash(torch.einsum("bio,biod->bod", couplings, made.predictions(u)))

    assert torch.autograd.gradcheck(fixed, u)
    weights = torch.randn(B, J, D, dtype=torch.float64)
    ours, expected = (torch.autograd.grad((f(u) * weights).sum(), u)[0] for f in (made, fixed))
    torch.testing.assert_close(ours, expected, atol=1e-12, rtol=0)
    through_all = torch.autograd.grad((layer(through="all")(u) * weights).sum(), u)[0]
    assert (through_all - ours).abs().max() > 1e-3


def test_the_fast_layer_keeps_nothing_of_the_size_of_the_predictions() -> None:
    made, u = nets.CapsuleLayer(200, 8, 10, 16), torch.randn(8, 200, 8, requires_grad=True)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        made(u)
    assert sum(kept) - made.weight.numel() < made.predictions(u).numel() / 4


def test_capsules_of_length_zero_give_zeros_and_finite_gradients() -> None:
    made, u = layer(), torch.zeros(B, N, W, dtype=torch.float64, requires_grad=True)
    out = made(u)
    out.sum().backward()
    assert out.abs().max() == 0
    assert u.grad is not None
    assert u.grad.isfinite().all()
    assert made.weight.grad is not None
    assert made.weight.grad.isfinite().all()


def test_reduced_precision_does_not_reach_the_routing() -> None:
    made, u = layer().float(), capsules().float()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(made(u), made(u.float()))
        assert made(u).dtype == torch.float32


def test_errors_say_what_is_wanted() -> None:
    for iterations in (0, -1, 1.5, "3"):
        for refused in (nets.route, nets.routing_steps):
            with pytest.raises(TlbookError, match="expected a whole number, at least 1"):
                refused(u_hat(), iterations)  # type: ignore[arg-type]
        with pytest.raises(TlbookError, match="expected a whole number, at least 1"):
            nets.CapsuleLayer(N, W, J, D, iterations)  # type: ignore[arg-type]
    for shape in ((0, W, J, D), (N, 0, J, D), (N, W, 0, D), (N, W, J, 0)):
        with pytest.raises(TlbookError, match="is 0; expected a whole number, at least 1"):
            nets.CapsuleLayer(*shape)
    for name in ("channels", "width", "kinds", "kernel", "classes"):
        with pytest.raises(TlbookError, match="is 0; expected a whole number, at least 1"):
            capsule_features(**{name: 0})
    with pytest.raises(TlbookError, match="expected 'last' or 'all'"):
        nets.route(u_hat(), through="some")  # type: ignore[arg-type]
    with pytest.raises(TlbookError, match="expected batch × inputs × outputs × d"):
        nets.route(u_hat()[0])
    with pytest.raises(TlbookError, match="expected batch × 6 × 2"):
        layer()(torch.zeros(B, N, W + 1))
    with pytest.raises(TlbookError, match="size is 16; expected at least 17"):
        capsule_features(size=16)


# the margin loss


def test_the_margin_loss_by_hand() -> None:
    lengths = torch.tensor([[0.95, 0.3, 0.05], [0.2, 0.6, 0.9]], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 1])
    first = 0 + 0.5 * 0.2**2 + 0  # there and long enough; absent and too long; absent and short
    second = 0.5 * 0.1**2 + 0.3**2 + 0.5 * 0.8**2
    assert losses.margin_loss(lengths, target).item() == pytest.approx((first + second) / 2, abs=1e-12)
    assert torch.autograd.gradcheck(lambda x: losses.margin_loss(x, target), lengths)


def test_the_margin_loss_of_no_capsule_at_all_is_the_square() -> None:
    assert losses.margin_loss(torch.zeros(4, 10), torch.tensor([0, 3, 3, 9])).item() == pytest.approx(0.81)


def test_the_margin_loss_says_what_it_wants() -> None:
    with pytest.raises(TlbookError, match="expected one label a row"):
        losses.margin_loss(torch.zeros(4, 10), torch.tensor([0, 3]))
    for wrong in ([0, -1], [10, 0]):
        with pytest.raises(TlbookError, match="expected 0 … 9"):
            losses.margin_loss(torch.zeros(len(wrong), 10), torch.tensor(wrong, dtype=torch.int64))
    with pytest.raises(TlbookError, match=r"shape \(0, 10\); expected N×K"):
        losses.margin_loss(torch.zeros(0, 10), torch.zeros(0, dtype=torch.int64))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_margin_loss_of_half_precision_is_summed_in_full(dtype: torch.dtype) -> None:
    lengths, target = torch.rand(64, 10, generator=torch.Generator().manual_seed(0)).to(dtype), torch.arange(64) % 10
    ours = losses.margin_loss(lengths, target)
    assert ours.dtype == torch.float32
    assert ours.item() == pytest.approx(losses.margin_loss(lengths.double(), target).item(), rel=1e-5)


# the network


def small(seed: int = 0) -> CapsNet:
    torch.manual_seed(seed)
    return CapsNet(capsule_features(size=12, width=6, kinds=2, kernel=4, classes=3), decoder(3, 144, (20, 30)))


def images(n: int = 32) -> Domain:
    """Three kinds of bars."""
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(n) % 3
    x = torch.randint(0, 60, (n, 1, 12, 12), generator=draw)
    for k in range(3):
        x[y == k, :, :, 4 * k : 4 * k + 3] += 180
    return Domain("bars", x.to(torch.uint8), y, ("left", "middle", "right"))


def test_it_has_the_papers_number_of_parameters() -> None:
    method = CapsNet(capsule_features(), decoder())
    assert sum(p.numel() for p in method.parameters()) == 8_215_568
    shapes = [tuple(layer.weight.shape) for layer in (method.features[1], method.features[3].conv, method.features[4])]
    assert shapes == [(256, 1, 9, 9), (256, 256, 9, 9), (10, 8, 1152, 16)]


def test_its_parts_are_the_papers() -> None:
    kinds = [type(part) for part in capsule_features()]
    assert kinds == [nets.Pixels, nn.Conv2d, nn.ReLU, nets.PrimaryCapsules, nets.CapsuleLayer]
    for made, iterations in ((capsule_features(), 3), (capsule_features(iterations=1), 1)):
        assert isinstance(made[4], nets.CapsuleLayer)
        assert (made[4].iterations, made[4].through) == (iterations, "last")
    assert inspect.signature(CapsNet).parameters["reconstruction"].default == 0.0005


def test_the_decoder_draws_between_black_and_white() -> None:
    torch.manual_seed(0)
    drawn = decoder(pixels=20, hidden=(30, 30))(100 * torch.randn(50, 10, 16))
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert drawn.min() < 0.01 < 0.99 < drawn.max()


def test_primary_capsules_are_channels_read_as_vectors() -> None:
    made = nets.PrimaryCapsules(3, kinds=4, width=5, kernel=3)
    x = torch.randn(2, 3, 9, 9)
    s = made.conv(x)
    kind, row, column = 2, 1, 3
    expected = nets.squash(s[:, 5 * kind : 5 * kind + 5, row, column])
    torch.testing.assert_close(made(x)[:, kind * 16 + row * 4 + column], expected)


def test_its_losses_are_margin_and_squared_error_of_the_true_capsules_drawing() -> None:
    method, domain = small(), images(6)
    method.features[4].weight.data.mul_(30)  # long enough that another mask would show
    y = domain.labels()
    terms = method.losses(Batch(domain.x, y), Batch(domain.x[:0]), 0.5)
    capsules = method.features(domain.x)
    assert terms["margin"].item() == pytest.approx(losses.margin_loss(capsules.norm(dim=2), y).item(), rel=1e-6)
    error = 0.0
    for row, label in enumerate(y.tolist()):
        masked = torch.zeros_like(capsules[row])
        masked[label] = capsules[row, label]
        error += (method.decoder(masked[None])[0] - domain.x[row].flatten() / 255).square().sum().item()
    assert terms["reconstruction"].item() == pytest.approx(0.0005 * error / 6, rel=1e-5)


class Given(nn.Module):
    """Capsules that are there already."""

    def __init__(self, capsules: Tensor) -> None:
        super().__init__()
        self.capsules = nn.Parameter(capsules)

    def forward(self, x: Tensor) -> Tensor:
        return self.capsules


def test_the_decoder_sees_the_true_capsule_alone_and_teaches_it() -> None:
    torch.manual_seed(0)
    given, domain = Given(torch.randn(6, 3, 16)), images(6)
    y = given.capsules.norm(dim=2).argmin(dim=1)  # true is never what it would predict
    method = CapsNet(given, decoder(3, 144, (20, 30)))
    method.losses(Batch(domain.x, y), Batch(domain.x[:0]), 0.5)["reconstruction"].backward()
    assert given.capsules.grad is not None
    true = torch.nn.functional.one_hot(y, 3).bool()
    assert given.capsules.grad[~true].abs().max() == 0
    assert given.capsules.grad[true].abs().min() > 0


def test_a_decoder_of_another_size_is_refused() -> None:
    method, domain = small(), images(6)
    for pixels in (1, 100):
        method.decoder = decoder(3, pixels, (20, 30))
        with pytest.raises(TlbookError, match=rf"draws {pixels} pixels, the images have 144"):
            method.losses(Batch(domain.x, domain.y), Batch(domain.x[:0]), 0.5)


def test_it_classifies_by_length() -> None:
    method, x = small(), images(6).x
    torch.testing.assert_close(method(x), method.features(x).norm(dim=2))


def test_training_reads_the_bars_and_moves_everything() -> None:
    method, domain = small(), images()
    before = {name: p.clone() for name, p in method.named_parameters()}
    history = fit(method, domain, steps=60, batch_size=16, precision="fp32", progress=False)
    assert history.terms["margin"][-1] < 0.1 < history.terms["margin"][0]
    assert (method(domain.x).argmax(dim=1) == domain.labels()).float().mean() > 0.9
    assert all(not torch.equal(before[name], p) for name, p in method.named_parameters())


def test_bytes_and_floats_are_drawn_alike() -> None:
    torch.manual_seed(0)
    method = CapsNet(Given(torch.rand(4, 3, 2)), decoder_of(6, 9))
    images = torch.randint(256, (4, 1, 3, 3), dtype=torch.uint8)
    y = torch.tensor([0, 1, 2, 0])
    drawn = [method.losses(Batch(x, y), Batch(x[:0]), 0.0)["reconstruction"] for x in (images, images.float() / 255)]
    torch.testing.assert_close(*drawn)


@pytest.mark.parametrize(
    "x", [torch.full((2, 1, 3, 3), 255.0), torch.full((2, 1, 3, 3), torch.nan), -torch.ones(2, 1, 3, 3)]
)
def test_images_out_of_range_are_refused_in_one_line(x: torch.Tensor) -> None:
    method = CapsNet(Given(torch.rand(2, 3, 2)), decoder_of(6, 9))
    with pytest.raises(TlbookError, match=r"^the batch has floats from [^\n]* expected images in 0…1[^\n]*$"):
        method.losses(Batch(x, torch.tensor([0, 1])), Batch(x[:0]), 0.0)


def decoder_of(numbers: int, pixels: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(numbers, pixels), nn.Sigmoid())
