"""Each loss against its formula written in another way, its gradient in float64, and what it refuses."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tlbook import losses
from tlbook.errors import TlbookError
from tlbook.losses import mmd
from tlbook.losses._rows import labelled

F64 = NDArray[np.float64]


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(*shape, generator=generator, dtype=torch.float64)


def probabilities(logits: Tensor, temperature: float = 1.0) -> F64:
    odds: F64 = np.exp(logits.numpy() / temperature)
    return odds / odds.sum(axis=1, keepdims=True)


def checked(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.clone().requires_grad_() for t in tensors)


# cross_entropy


def test_cross_entropy_is_the_mean_of_minus_log_p() -> None:
    logits, y = random(7, 4), torch.tensor([0, 3, 1, 1, 2, 0, 3])
    rows = [-math.log(probabilities(logits)[i, k]) for i, k in enumerate(y.tolist())]
    assert losses.cross_entropy(logits, y).item() == pytest.approx(sum(rows) / 7, abs=1e-12)


def test_cross_entropy_gradient() -> None:
    y = torch.tensor([0, 3, 1])
    assert torch.autograd.gradcheck(lambda z: losses.cross_entropy(z, y), checked(random(3, 4)))


@pytest.mark.parametrize("shape", [(4,), (3, 4), (1,)])
def test_cross_entropy_refuses_labels_that_do_not_match_the_rows(shape: tuple[int, ...]) -> None:
    with pytest.raises(TlbookError, match=r"y has shape .* for 3 rows"):
        losses.cross_entropy(random(3, 4), torch.zeros(shape, dtype=torch.int64))


# entropy


def test_entropy_is_minus_the_sum_of_p_log_p() -> None:
    logits = random(6, 5)
    p = probabilities(logits)
    assert losses.entropy(logits).item() == pytest.approx(-(p * np.log(p)).sum() / 6, abs=1e-12)


def test_entropy_lies_between_zero_and_log_k_and_reaches_both() -> None:
    for seed in range(20):
        assert 0 < losses.entropy(random(3, 7, seed=seed)).item() < math.log(7)
    assert losses.entropy(torch.full((2, 7), 3.0)).item() == pytest.approx(math.log(7), abs=1e-6)
    certain = torch.eye(7) * 1e4
    certain.requires_grad_()
    value = losses.entropy(certain)
    value.backward()
    assert value.item() == 0
    assert certain.grad is not None
    assert certain.grad.isfinite().all()


def test_entropy_gradient() -> None:
    assert torch.autograd.gradcheck(losses.entropy, checked(random(4, 3)))


# gradient_reversal


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0, 2.5])
def test_gradient_reversal_is_the_identity_forward_and_minus_the_strength_backward(strength: float) -> None:
    x, weights = random(4, 3).requires_grad_(), random(4, 3, seed=1)
    out = losses.gradient_reversal(x, strength)
    assert torch.equal(out, x)
    (weights * out.exp()).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, -strength * weights * x.detach().exp(), rtol=1e-12, atol=0)


def test_gradient_reversal_has_strength_one_unless_told() -> None:
    x = random(3).requires_grad_()
    losses.gradient_reversal(x).sum().backward()
    assert x.grad is not None
    assert (x.grad == -1).all()


# domain_adversarial


def test_domain_adversarial_is_the_loop_of_equation_9() -> None:
    z = random(7, 1)
    total = {0: 0.0, 1: 0.0}
    for i, logit in enumerate(z.flatten().tolist()):
        d = 0 if i < 3 else 1  # d = 0: source, d = 1: target
        g = 1 / (1 + math.exp(-logit))
        total[d] += d * math.log(1 / g) + (1 - d) * math.log(1 / (1 - g))
    assert losses.domain_adversarial(z, 3).item() == pytest.approx(total[0] / 3 + total[1] / 4, abs=1e-12)


def test_domain_adversarial_of_no_knowledge_is_two_log_two() -> None:
    assert losses.domain_adversarial(torch.zeros(9, 1), 2).item() == pytest.approx(2 * math.log(2), abs=1e-6)


def test_domain_adversarial_rewards_positive_logits_for_the_target() -> None:
    right = torch.tensor([-50.0, -50.0, 50.0])
    assert losses.domain_adversarial(right, 2).item() == pytest.approx(0, abs=1e-12)
    assert losses.domain_adversarial(-right, 2).item() == pytest.approx(100)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_domain_adversarial_stays_finite_at_the_extremes(dtype: torch.dtype) -> None:
    z = torch.tensor([[3e4], [-3e4], [3e4], [-3e4]], dtype=dtype, requires_grad=True)
    value = losses.domain_adversarial(z, 2)
    value.backward()
    assert value.isfinite()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_domain_adversarial_gradient() -> None:
    assert torch.autograd.gradcheck(lambda z: losses.domain_adversarial(z, 2), checked(random(5, 1)))


@pytest.mark.parametrize("shape", [(6, 2), (6, 1, 1), ()])
def test_domain_adversarial_wants_one_logit_a_row(shape: tuple[int, ...]) -> None:
    with pytest.raises(TlbookError, match=r"expected one logit a row"):
        losses.domain_adversarial(torch.zeros(shape), 3)


@pytest.mark.parametrize("n_source", [0, 6, 7, -1])
def test_domain_adversarial_wants_rows_of_both_domains(n_source: int) -> None:
    with pytest.raises(TlbookError, match=rf"n_source is {n_source} of 6 rows"):
        losses.domain_adversarial(torch.zeros(6, 1), n_source)


# distillation


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_distillation_is_t_squared_times_the_divergence_from_the_teacher(temperature: float) -> None:
    student, teacher = random(5, 4), random(5, 4, seed=1)
    p, q = probabilities(teacher, temperature), probabilities(student, temperature)
    expected = temperature**2 * (p * np.log(p / q)).sum() / 5
    assert losses.distillation(student, teacher, temperature).item() == pytest.approx(expected, abs=1e-12)


def test_distillation_gradient_hardly_depends_on_the_temperature() -> None:
    student, teacher = random(50, 10), random(50, 10, seed=1)
    student, teacher = student - student.mean(1, keepdim=True), teacher - teacher.mean(1, keepdim=True)

    def size(temperature: float) -> float:
        z = student.clone().requires_grad_()
        losses.distillation(z, teacher, temperature).backward()
        assert z.grad is not None
        return z.grad.norm().item()

    sizes = [size(t) for t in (5.0, 20.0, 100.0)]
    assert max(sizes) / min(sizes) < 1.5  # without T² it would be 20² = 400
    # Hinton et al., eq. 4: at a high temperature the gradient is (z − v) / K, here over a batch of 50
    assert sizes[-1] == pytest.approx(((student - teacher) / 10 / 50).norm().item(), rel=0.05)


def test_distillation_gradient_goes_to_the_student_alone() -> None:
    assert torch.autograd.gradcheck(lambda s: losses.distillation(s, random(3, 4, seed=1), 2.0), checked(random(3, 4)))
    student, teacher = checked(random(3, 4), random(3, 4, seed=1))
    losses.distillation(student, teacher, 2.0).backward()
    assert student.grad is not None
    assert teacher.grad is None


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_distillation_refuses_a_temperature_that_is_not_positive(temperature: float) -> None:
    with pytest.raises(TlbookError, match=rf"temperature is {temperature}"):
        losses.distillation(random(2, 3), random(2, 3), temperature)


def test_distillation_refuses_heads_of_different_width() -> None:
    with pytest.raises(TlbookError, match=r"student has shape \(2, 3\), teacher \(2, 4\)"):
        losses.distillation(random(2, 3), random(2, 4), 1.0)


# l2_sp


class Net(nn.Module):
    def __init__(self, classes: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Linear(3, 4).double()
        self.head = nn.Linear(4, classes).double()


def test_l2_sp_is_half_the_squared_distance_over_shared_names_and_shapes() -> None:
    net, reference = Net(classes=2, seed=0), Net(classes=5, seed=1)
    moved = [getattr(net.body, n) - getattr(reference.body, n) for n in ("weight", "bias")]
    expected = sum(0.5 * np.square(m.detach().numpy()).sum() for m in moved)
    assert losses.l2_sp(net, reference).item() == pytest.approx(expected, abs=1e-12)
    as_dictionary = {name: p.detach() for name, p in reference.named_parameters()}
    assert losses.l2_sp(net, as_dictionary).item() == pytest.approx(expected, abs=1e-12)


def test_l2_sp_pulls_with_the_difference_and_leaves_the_reference_alone() -> None:
    net, reference = Net(classes=2, seed=0), Net(classes=5, seed=1)
    losses.l2_sp(net, reference).backward()
    assert net.body.weight.grad is not None
    torch.testing.assert_close(net.body.weight.grad, (net.body.weight - reference.body.weight).detach())
    assert net.head.weight.grad is None
    assert all(p.grad is None for p in reference.parameters())


def test_l2_sp_refuses_modules_that_share_nothing() -> None:
    with pytest.raises(TlbookError, match=r"no parameter has the same name and shape"):
        losses.l2_sp(Net(2, 0), {"body.weight": torch.zeros(9, 9)})


# mmd2, mk_mmd2, linear_mmd2


def double_sum(x: Tensor, y: Tensor, sigmas: list[float], unbiased: bool) -> float:
    """The definition, one pair of rows after the other."""

    def k(a: F64, b: F64) -> float:
        return sum(math.exp(-float(((a - b) ** 2).sum()) / (2 * s * s)) for s in sigmas) / len(sigmas)

    def mean(a: F64, b: F64, same: bool) -> float:
        values = [k(p, q) for i, p in enumerate(a) for j, q in enumerate(b) if not (same and unbiased and i == j)]
        return sum(values) / len(values)

    p, q = x.numpy(), y.numpy()
    return mean(p, p, True) + mean(q, q, True) - 2 * mean(p, q, False)


def median_distance(x: Tensor, y: Tensor) -> float:
    z = torch.cat([x, y]).numpy()
    distances = sorted(float(np.linalg.norm(a - b)) for i, a in enumerate(z) for b in z[:i])
    return distances[(len(distances) - 1) // 2]


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("sigmas", [[0.7], [0.5, 1.0, 3.1]])
def test_mmd2_is_the_double_sum(sigmas: list[float], unbiased: bool) -> None:
    x, y = random(7, 3), random(5, 3, seed=1) + 1
    expected = double_sum(x, y, sigmas, unbiased)
    assert losses.mmd2(x, y, sigmas, unbiased).item() == pytest.approx(expected, abs=1e-12)
    assert losses.mmd2(x.float() + 100, y.float() + 100, sigmas, unbiased).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("unbiased", [False, True])
def test_the_default_bandwidth_is_the_median_distance_of_different_rows(unbiased: bool) -> None:
    x, y = random(6, 2), random(9, 2, seed=1)
    expected = double_sum(x, y, [median_distance(x, y)], unbiased)
    assert losses.mmd2(x, y, unbiased=unbiased).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "multipliers",
    [losses.DOUBLINGS, (1.0, 3.0, 0.2), (2.0, 1.0, 0.5), (0.3,), (4.0, 2.0), (2.0 ** (1 / 3), 1.0), (3**0.5, 1.0)],
)
@pytest.mark.parametrize("unbiased", [False, True])
def test_mk_mmd2_is_the_double_sum_around_the_median(multipliers: tuple[float, ...], unbiased: bool) -> None:
    x, y = random(6, 4), random(8, 4, seed=1) + 0.5
    sigmas = [m * median_distance(x, y) for m in multipliers]
    expected = double_sum(x, y, sigmas, unbiased)
    assert losses.mk_mmd2(x, y, multipliers, unbiased=unbiased).item() == pytest.approx(expected, abs=1e-12)
    weights = [i + 1.0 for i in range(len(sigmas))]
    weights = [w / sum(weights) for w in weights]
    mixed = sum(w * double_sum(x, y, [s], unbiased) for w, s in zip(weights, sigmas, strict=True))
    assert losses.mk_mmd2(x, y, multipliers, weights, unbiased).item() == pytest.approx(mixed, abs=1e-12)


def test_the_kernels_double_their_variance_from_each_to_the_next() -> None:
    assert [round(multiplier**2, 12) for multiplier in losses.DOUBLINGS] == [0.25, 0.5, 1.0, 2.0, 4.0]


def test_the_median_carries_no_gradient() -> None:
    x, y = random(6, 2), random(6, 2, seed=1)
    free, fixed = x.clone().requires_grad_(), x.clone().requires_grad_()
    losses.mmd2(free, y).backward()
    losses.mmd2(fixed, y, [median_distance(x, y)]).backward()
    torch.testing.assert_close(free.grad, fixed.grad)


def test_distributions_that_are_equal_have_a_mean_of_zero_without_bias_and_above_it_with() -> None:
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(1000, 2, 8, 3, generator=generator, dtype=torch.float64)
    for estimate in (
        lambda x, y: losses.mk_mmd2(x, y, unbiased=True),
        lambda x, y: losses.mmd2(x, y, [1.0], unbiased=True),
        losses.linear_mmd2,
    ):
        values = np.array([estimate(x, y).item() for x, y in draws])
        assert abs(values.mean()) < 3 * values.std(ddof=1) / math.sqrt(1000)
    biased = np.array([losses.mk_mmd2(x, y).item() for x, y in draws[:100]])
    assert biased.min() >= 0


def test_linear_mmd2_is_the_mean_over_pairs_that_do_not_overlap() -> None:
    x, y = random(7, 3), random(7, 3, seed=1)
    a, b = x.numpy(), y.numpy()
    distances = [[a[i] - a[i + 1], b[i] - b[i + 1], a[i] - b[i + 1], a[i + 1] - b[i]] for i in (0, 2, 4)]
    squared = np.array([[float((d**2).sum()) for d in row] for row in distances])
    sigma2 = sorted(squared.flatten())[(squared.size - 1) // 2]
    expected = 0.0
    for m in losses.DOUBLINGS:
        k = np.exp(-squared / (2 * m * m * sigma2))
        expected += float((k[:, 0] + k[:, 1] - k[:, 2] - k[:, 3]).mean()) / 5
    assert losses.linear_mmd2(x, y).item() == pytest.approx(expected, abs=1e-12)


def test_mmd_grows_with_the_shift_and_does_not_care_for_order_or_place() -> None:
    x, y = random(20, 3), random(20, 3, seed=1)
    values = [losses.mmd2(x, y + shift, [2.0]).item() for shift in (0, 1, 2, 4)]
    assert values == sorted(values)
    assert losses.mmd2(y, x).item() == pytest.approx(losses.mmd2(x, y).item(), abs=1e-12)
    assert losses.mmd2(x + 5, y + 5).item() == pytest.approx(losses.mmd2(x, y).item(), abs=1e-10)
    assert losses.mmd2(x.flip(0), y).item() == pytest.approx(losses.mmd2(x, y).item(), abs=1e-12)


@pytest.mark.parametrize(
    "loss",
    [
        lambda x, y: losses.mmd2(x, y, [0.8, 2.0]),
        lambda x, y: losses.mmd2(x, y, [0.8], unbiased=True),
        losses.coral,
    ],
)
def test_gradients_of_the_distances(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    assert torch.autograd.gradcheck(loss, checked(random(5, 3), random(4, 3, seed=1)))


@pytest.mark.parametrize("loss", [losses.mk_mmd2, losses.linear_mmd2])
def test_gradients_around_a_median_that_is_held(
    loss: Callable[[Tensor, Tensor], Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mmd, "_median", lambda squared: torch.tensor(1.7, dtype=torch.float64))
    assert torch.autograd.gradcheck(loss, checked(random(6, 3), random(6, 3, seed=1)))


@pytest.mark.parametrize("loss", [losses.mmd2, losses.mk_mmd2, losses.linear_mmd2, losses.coral])
def test_features_that_are_constant_are_no_distance_apart_and_have_a_gradient(
    loss: Callable[[Tensor, Tensor], Tensor],
) -> None:
    x, y = checked(torch.ones(4, 3), torch.ones(4, 3))
    value = loss(x, y)
    assert value.abs().item() < 1e-6
    value.backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_a_median_of_zero_gives_way_to_the_mean() -> None:
    x = torch.zeros(8, 1, dtype=torch.float64)
    y = torch.cat([torch.zeros(7, 1), torch.ones(1, 1)]).double()
    pairs = 16 * 15
    sigma = math.sqrt(2 * 15 / pairs)  # the mean of the squares takes the place
    assert losses.mmd2(x, y).item() == pytest.approx(double_sum(x, y, [sigma], False), abs=1e-12)


def test_distances_say_what_they_cannot_take() -> None:
    x = random(4, 3)
    with pytest.raises(TlbookError, match=r"x has rows of 3 numbers, y of 2"):
        losses.mmd2(x, random(4, 2))
    with pytest.raises(TlbookError, match=r"y has shape \(4,\); expected N×D"):
        losses.coral(x, torch.zeros(4))
    for call in (lambda a, b: losses.mmd2(a, b, unbiased=True), losses.coral, losses.linear_mmd2):
        with pytest.raises(TlbookError, match=r"x has 1 rows; expected at least 2"):
            call(x[:1], x)
    with pytest.raises(TlbookError, match=r"x has 0 rows; expected at least 1"):
        losses.mmd2(x[:0], x)
    for broken in (math.nan, math.inf):
        for call in (losses.mmd2, losses.mk_mmd2, losses.linear_mmd2, losses.coral):
            with pytest.raises(
                TlbookError, match=r"^y has values that are not finite; expected finite features[^\n]*$"
            ):
                call(x, x.clone().fill_diagonal_(broken))
    with pytest.raises(TlbookError, match=r"x has 4 rows, y 3; expected as many"):
        losses.linear_mmd2(x, x[:3])
    with pytest.raises(TlbookError, match=r"bandwidths is \[1.0, 0.0\]"):
        losses.mmd2(x, x, [1.0, 0.0])
    with pytest.raises(TlbookError, match=r"multipliers is \[-1.0\]"):
        losses.mk_mmd2(x, x, [-1.0])
    with pytest.raises(TlbookError, match=r"weights is \[0.5, 0.6\] for 2 multipliers"):
        losses.mk_mmd2(x, x, [1.0, 2.0], [0.5, 0.6])


def test_a_median_that_is_only_rounding_gives_way_too() -> None:
    x = random(8, 3) * 1e-7  # as from units that are dead in most rows
    y = torch.cat([random(7, 3, seed=1) * 1e-7, torch.ones(1, 3)]).double().requires_grad_()
    losses.mk_mmd2(x, y).backward()
    assert y.grad is not None
    assert y.grad.abs().max() < 10


@pytest.mark.parametrize("loss", [losses.mmd2, losses.mk_mmd2, losses.linear_mmd2, losses.coral])
def test_distances_keep_their_precision_under_autocast(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    x, y = random(32, 20).float() + 30, random(32, 20, seed=1).float() + 30
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(x, y)
    assert found.dtype == torch.float32
    assert found.item() == loss(x, y).item()


# coral


def test_coral_is_the_distance_of_numpys_covariances() -> None:
    x, y = random(9, 4), 2 * random(6, 4, seed=1)
    difference = np.cov(x.numpy(), rowvar=False) - np.cov(y.numpy(), rowvar=False)
    assert losses.coral(x, y).item() == pytest.approx((difference**2).sum() / (4 * 16), abs=1e-12)


def test_coral_does_not_see_a_translation() -> None:
    x, y = random(9, 4), random(6, 4, seed=1)
    assert losses.coral(x, x + 3).item() == pytest.approx(0, abs=1e-12)
    assert losses.coral(x, y + 3).item() == pytest.approx(losses.coral(x, y).item(), abs=1e-12)


# at the edges of the numbers


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e8])
@pytest.mark.parametrize(("common", "apart"), [(0, 0), (1e4, 0), (0, 30), (0, 1e4), (1e6, 1e4), (-1e5, 1e6)])
def test_distances_in_float32_agree_with_float64(common: float, apart: float, scale: float, unbiased: bool) -> None:
    x, y = random(20, 6), random(31, 6, seed=1)
    y[0] += 1e3  # one row far off
    x, y = ((z * scale).float() for z in (x + common, y + common + apart))
    corals = (losses.coral, lambda a, b: losses.coral(a.repeat(1, 30), b.repeat(1, 30)))
    for loss in (
        lambda a, b: losses.mmd2(a, b, [scale, 3 * scale], unbiased),
        lambda a, b: losses.mmd2(a, b, unbiased=unbiased),
        lambda a, b: losses.mk_mmd2(a, b, unbiased=unbiased),
        lambda a, b: losses.linear_mmd2(a[:20], b[:20]),
        *(corals if scale < 1e8 else ()),  # whose value would leave the range of float32
    ):
        found, exact = checked(x, y), checked(x.double(), y.double())
        value, wanted = loss(*found), loss(*exact)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.double(), wanted, rtol=1e-5, atol=1e-6)
        value.backward()
        wanted.backward()
        for a, b in zip(found, exact, strict=True):
            assert (a.grad.double() - b.grad).abs().max() < 1e-3 * b.grad.abs().max()


@pytest.mark.parametrize("rows", [8, 20, 64])
def test_a_covariance_far_from_zero_is_that_near_it(rows: int) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(rows, 6, generator=draw) + 3e6
    y = 2 * torch.randn(rows + 3, 6, generator=draw) + 3e6
    assert losses.coral(x, y).item() == pytest.approx(losses.coral(x.double(), y.double()).item(), rel=1e-5)


@pytest.mark.parametrize("narrow", [1 / 16, 1 / 8])
def test_a_narrow_kernel_feels_no_rounding(narrow: float) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(40, 4, generator=draw)
    y = torch.cat([x + 0.02 * torch.randn(40, 4, generator=draw), torch.full((4, 4), 5.0)])
    exact = losses.mk_mmd2(x.double(), y.double(), multipliers=(narrow,)).item()
    assert losses.mk_mmd2(x, y, multipliers=(narrow,)).item() == pytest.approx(exact, rel=5e-7)


@pytest.mark.parametrize("width", [10, 11, 12, 40])
def test_coral_by_rows_or_by_columns_is_numpys_and_has_its_gradient(width: int) -> None:
    x, y = random(6, width), 2 * random(5, width, seed=1) + 3
    difference = np.cov(x.numpy(), rowvar=False) - np.cov(y.numpy(), rowvar=False)
    expected = (difference**2).sum() / (4 * width**2)
    assert losses.coral(x, y).item() == pytest.approx(expected, rel=1e-12)
    assert losses.coral(x.float(), y.float()).item() == pytest.approx(expected, rel=1e-5)
    assert losses.coral(x.float(), x.float()).item() == pytest.approx(0, abs=1e-12)
    assert torch.autograd.gradcheck(losses.coral, checked(x, y))


def test_coral_forms_no_matrix_of_the_width() -> None:
    x, y = random(4, 8192).float().requires_grad_(), random(4, 8192, seed=1).float()
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t.numel()), t)[1], lambda t: t):
        losses.coral(x, y)
    assert max(kept) <= 8 * 8192


def excluding(z: Tensor) -> Tensor:
    """The same classifier with a class more, which is impossible."""
    return torch.cat([z, torch.full((len(z), 1), -math.inf, dtype=z.dtype)], dim=1)


def test_a_class_that_cannot_be_changes_neither_value_nor_gradient() -> None:
    y, without = torch.tensor([0, 2, 1, 0]), excluding(random(4, 3, seed=1))
    for loss in (
        losses.entropy,
        lambda z: losses.cross_entropy(z, y),
        lambda z: losses.distillation(z, random(4, 3, seed=1) if z.shape[1] == 3 else without, 2.0),
    ):
        plain, more = checked(random(4, 3), random(4, 3))
        with_it = excluding(more).detach().requires_grad_()
        loss(plain).backward()
        value = loss(with_it)
        value.backward()
        assert value.item() == pytest.approx(loss(plain).item(), abs=1e-12)
        assert with_it.grad is not None
        torch.testing.assert_close(with_it.grad[:, :3], plain.grad)
        assert (with_it.grad[:, 3] == 0).all()


def test_distillation_of_a_teacher_that_excludes_a_class_pulls_the_student_away_from_it() -> None:
    teacher = excluding(random(4, 3))
    student = random(4, 4, seed=1).requires_grad_()
    value = losses.distillation(student, teacher, 1.0)
    p, q = torch.tensor(probabilities(teacher)), torch.tensor(probabilities(student.detach()))
    assert value.item() == pytest.approx((torch.xlogy(p, p) - p * q.log()).sum().item() / 4, abs=1e-12)
    value.backward()
    torch.testing.assert_close(student.grad, (q - p) / 4)


@pytest.mark.parametrize("bad", [-100, -1, 4, 10**12])
def test_labels_outside_the_classes_are_refused(bad: int) -> None:
    y = torch.tensor([0, bad, 3])
    for loss in (losses.cross_entropy, losses.margin_loss):
        with pytest.raises(TlbookError, match=rf"has labels from .*{bad}.*; expected 0 … 3[^\n]*$"):
            loss(random(3, 4), y)


def test_labels_outside_the_classes_make_nan_where_looking_would_wait() -> None:
    """What is done away from the CPU, seen on the device that computes nothing."""
    rows, y = labelled("y", torch.zeros(3, 4, device="meta"), torch.zeros(3, dtype=torch.int64, device="meta"))
    assert (rows.device.type, y.dtype) == ("meta", torch.int64)


@pytest.mark.parametrize(
    "y", [[0, 3, 1], (0, 3, 1), np.array([0, 3, 1]), np.array([0, 3, 1], np.uint8), torch.tensor([0, 3, 1]).int()]
)
def test_labels_of_other_kinds_are_taken(y: Tensor) -> None:
    z, own = random(3, 4), torch.tensor([0, 3, 1])
    assert torch.equal(losses.cross_entropy(z, y), losses.cross_entropy(z, own))
    assert torch.equal(losses.margin_loss(z, y), losses.margin_loss(z, own))


@pytest.mark.parametrize("y", [[0.0, 1.0, 2.0], torch.ones(3), np.ones(3), "abc", None, ["a", "b", "c"]])
def test_labels_that_are_no_whole_numbers_are_refused(y: Tensor) -> None:
    for loss in (losses.cross_entropy, losses.margin_loss):
        with pytest.raises(TlbookError, match=r"^(y|target) (has the type|is) [^\n]*; expected [^\n]*$"):
            loss(random(3, 4), y)


DISTANCES = [losses.mmd2, losses.mk_mmd2, losses.linear_mmd2, losses.coral, losses.nt_xent]


@pytest.mark.parametrize("loss", DISTANCES)
def test_arrays_lists_and_whole_numbers_are_features_too(loss: Callable[[Any, Any], Tensor]) -> None:
    x, y = ((10 * random(5, 3, seed=seed)).int() for seed in (0, 1))
    expected = loss(x.float(), y.float())
    assert torch.equal(loss(x, y), expected)
    assert torch.equal(loss(x.tolist(), y.float().tolist()), expected)
    assert torch.equal(loss(x.numpy(), y.float().numpy()), expected)


@pytest.mark.parametrize("loss", DISTANCES)
@pytest.mark.parametrize("x", ["text", None, [["a"]], torch.zeros(4, 3, dtype=torch.complex64), torch.zeros(4, 0)])
def test_features_that_are_none_are_refused(loss: Callable[[Any, Any], Tensor], x: object) -> None:
    with pytest.raises(TlbookError, match=r"^x (is|has) [^\n]*; expected [^\n]*$"):
        loss(x, x)


@pytest.mark.parametrize("loss", DISTANCES)
def test_two_types_are_not_mixed(loss: Callable[[Any, Any], Tensor]) -> None:
    with pytest.raises(TlbookError, match=r"^x is torch.float64 on cpu, y torch.float32 on cpu; expected the same"):
        loss(random(4, 3), random(4, 3, seed=1).float())


def test_large_numbers_are_finite() -> None:
    x, y = (random(4, 3, seed=seed).abs().clamp_max(1.5).float() * 2e38 for seed in (0, 1))
    assert losses.mmd2(x, y).item() == pytest.approx(losses.mmd2(x.double(), y.double()).item(), abs=1e-4)


NO_NUMBERS = [math.nan, math.inf, "text", True, None]


@pytest.mark.parametrize("bad", NO_NUMBERS)
def test_settings_that_are_no_numbers_are_refused(bad: Any) -> None:
    x, z = random(4, 3), torch.zeros(4)
    for name, call in {
        "temperature": lambda: losses.distillation(x, x, bad),
        "temperature ": lambda: losses.nt_xent(x, x, bad),
        "rows": lambda: losses.nt_xent(x, x, rows=bad),
        "strength": lambda: losses.gradient_reversal(x, bad),
        "n_source": lambda: losses.domain_adversarial(z, bad),
        "bandwidths": lambda: losses.mmd2(x, x, [bad]),
        "multipliers": lambda: losses.mk_mmd2(x, x, [1.0, bad]),
        "multipliers ": lambda: losses.linear_mmd2(x, x, bad),
        "weights": lambda: losses.mk_mmd2(x, x, [1.0, 2.0], [bad, 1.0]),
    }.items():
        with pytest.raises(TlbookError, match=rf"^{name.strip()} is [^\n]*; expected [^\n]*$"):
            call()


def test_a_reversal_of_negative_strength_is_none() -> None:
    with pytest.raises(TlbookError, match=r"^strength is -1; expected a number, at least 0$"):
        losses.gradient_reversal(random(3), -1)


# weights of rows


def test_weighted_losses_are_the_loops_and_their_weights_are_constants() -> None:
    w = random(3, seed=3).square()
    for loss, n, z in (
        (lambda z, w: losses.domain_adversarial(z, 3, w), 3, random(7, 1)),
        (lambda z, w: losses.cross_entropy(z, torch.tensor([0, 3, 1]), w), 3, random(3, 4)),
    ):
        rows = torch.eye(n, dtype=torch.float64) * n
        parts = torch.stack([loss(z, row) for row in rows]) - loss(z, torch.zeros(n).double())  # each source row alone
        expected = (w * parts).mean() + loss(z, torch.zeros(n).double())
        torch.testing.assert_close(loss(z, w), expected)
        torch.testing.assert_close(loss(z, torch.ones(n).double()), loss(z, None))
        z, w_free = checked(z, w)
        loss(z, w_free).backward()
        assert w_free.grad is None
        assert torch.autograd.gradcheck(lambda z, loss=loss: loss(z, w), (z,))


@pytest.mark.parametrize(
    ("weights", "line"),
    [
        (torch.ones(2), r"^weights has shape \(2,\)"),
        (torch.ones(3, 1), r"^weights has shape \(3, 1\)"),
        (torch.tensor([1.0, -1.0, 1.0]), r"^weights has numbers below 0 or not finite"),
        (torch.tensor([1.0, math.nan, 1.0]), r"^weights has numbers below 0 or not finite"),
        (torch.tensor([1.0, math.inf, 1.0]), r"^weights has numbers below 0 or not finite"),
        ("text", r"^weights is str; expected"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: Any, line: str) -> None:
    for call in (
        lambda: losses.domain_adversarial(torch.zeros(6, 1), 3, weights),
        lambda: losses.cross_entropy(torch.zeros(3, 2), torch.tensor([0, 1, 0]), weights),
    ):
        with pytest.raises(TlbookError, match=line + r"[^\n]*$"):
            call()


# all of them


@pytest.mark.parametrize("name", ["student", "logits"])
def test_logits_are_n_by_k(name: str) -> None:
    call = (lambda z: losses.distillation(z, z, 1.0)) if name == "student" else losses.entropy
    with pytest.raises(TlbookError, match=rf"^{name} has shape \(5,\); expected N×K"):
        call(torch.zeros(5))


def test_reduced_precision_is_widened_before_it_is_summed() -> None:
    z = random(1000, 10).bfloat16()
    exact = losses.entropy(z.double()).item()
    for value in (losses.entropy(z), losses.cross_entropy(z, torch.zeros(1000, dtype=torch.int64))):
        assert value.dtype == torch.float32
    assert losses.entropy(z).item() == pytest.approx(exact, rel=1e-5)


# nt_xent


def loop(x: Tensor, y: Tensor, temperature: float) -> float:
    """Equation 1 and algorithm 1 of the SimCLR paper: views 2k−1 and 2k are of one image."""
    z = [row for pair in zip(x.tolist(), y.tolist(), strict=True) for row in pair]

    def sim(u: list[float], v: list[float]) -> float:
        return sum(p * q for p, q in zip(u, v, strict=True)) / math.hypot(*u) / math.hypot(*v)

    def pair(i: int, j: int) -> float:
        others = sum(math.exp(sim(z[i], z[k]) / temperature) for k in range(len(z)) if k != i)
        return -math.log(math.exp(sim(z[i], z[j]) / temperature) / others)

    return sum(pair(k, k + 1) + pair(k + 1, k) for k in range(0, len(z), 2)) / len(z)


@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
@pytest.mark.parametrize("rows", [1, 5, 4096])
@pytest.mark.parametrize("n", [2, 7])
def test_nt_xent_is_the_double_loop(n: int, rows: int, temperature: float) -> None:
    x, y = random(n, 3), random(n, 3, seed=1)
    assert losses.nt_xent(x, y, temperature, rows).item() == pytest.approx(loop(x, y, temperature), abs=1e-10)


def test_nt_xent_is_symmetric_and_blind_to_lengths() -> None:
    x, y = random(6, 4), random(6, 4, seed=1)
    value = losses.nt_xent(x, y, 0.3)
    torch.testing.assert_close(losses.nt_xent(y, x, 0.3), value)
    scale = torch.linspace(0.1, 30, 6).double()[:, None]
    torch.testing.assert_close(losses.nt_xent(x * scale, y * scale.flip(0), 0.3), value)


def test_nt_xent_pulls_on_both_views() -> None:
    x, y = checked(random(5, 3), random(5, 3, seed=1))
    gx, gy = torch.autograd.grad(losses.nt_xent(x, y, 0.3), (x, y))
    hx, hy = torch.autograd.grad(losses.nt_xent(y, x, 0.3), (x, y))
    torch.testing.assert_close((gx, gy), (hx, hy))
    assert min(gx.abs().max(), gy.abs().max()) > 0.01


@pytest.mark.parametrize("rows", [3, 4096])
def test_nt_xent_gradient(rows: int) -> None:
    pairs = checked(random(4, 3), random(4, 3, seed=1))
    assert torch.autograd.gradcheck(lambda a, b: losses.nt_xent(a, b, 0.4, rows), pairs)


def test_nt_xent_is_near_0_where_pairs_agree_and_others_do_not() -> None:
    x = torch.eye(6).double()
    assert losses.nt_xent(x, x, 0.05).item() == pytest.approx(10 * math.exp(-20), rel=0.05)
    assert losses.nt_xent(torch.ones(6, 2), torch.ones(6, 2), 0.05).item() == pytest.approx(math.log(11))


@pytest.mark.parametrize("zeros", [1, 4])
def test_nt_xent_of_zero_rows_is_finite_and_small(zeros: int) -> None:
    x = random(4, 3)
    x[:zeros] = 0
    x.requires_grad_()
    losses.nt_xent(x, random(4, 3, seed=1)).backward()
    assert x.grad is not None
    assert x.grad.abs().max() < 10


def test_nt_xent_forms_its_cosines_in_full_precision() -> None:
    x, y = random(40, 16).float(), random(40, 16, seed=1).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = losses.nt_xent(x, y, 0.05)
    torch.testing.assert_close(inside, losses.nt_xent(x, y, 0.05), rtol=1e-6, atol=0)


@pytest.mark.parametrize("rows", [8, 4096])
def test_nt_xent_of_many_views_holds_only_some_rows_of_the_cosines(rows: int) -> None:
    x, y = random(64, 4).requires_grad_(), random(64, 4, seed=1)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t.numel()), t)[1], lambda t: t):
        losses.nt_xent(x, y, 0.5, rows)
    assert (max(kept) >= 128 * 128) == (rows == 4096)


@pytest.mark.parametrize(
    ("x", "y", "how", "line"),
    [
        (random(1, 3), random(1, 3), {}, r"^x has 1 rows; expected at least 2"),
        (random(3, 3), random(2, 3), {}, r"^x has 3 rows, y 2; expected as many"),
        (random(3, 3), random(3, 2), {}, r"^x has rows of 3 numbers, y of 2"),
        (random(3, 3, 1), random(3, 3, 1), {}, r"^x has shape \(3, 3, 1\)"),
        (random(3, 3), random(3, 3), {"temperature": 0.0}, r"^temperature is 0.0"),
        (random(3, 3), random(3, 3), {"temperature": -1.0}, r"^temperature is -1.0"),
        (random(3, 3), random(3, 3), {"temperature": math.nan}, r"^temperature is nan"),
        (random(3, 3), random(3, 3), {"rows": 0}, r"^rows is 0; expected"),
        (random(3, 3) * math.nan, random(3, 3), {}, r"^x has values that are not finite"),
        (random(3, 3), random(3, 3) / 0, {}, r"^y has values that are not finite"),
    ],
)
def test_nt_xent_refuses(x: Tensor, y: Tensor, how: dict[str, float], line: str) -> None:
    with pytest.raises(TlbookError, match=line) as caught:
        losses.nt_xent(x, y, **how)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
