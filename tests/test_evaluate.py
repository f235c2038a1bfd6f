"""Accuracies count what is right; the proxy A-distance has the value that two Gaussians say."""

import math
import warnings
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from tlbook import evaluate, nets, selection
from tlbook.data import Domain
from tlbook.errors import TlbookError


def labelled(n: int = 50) -> Domain:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 3, generator=generator)
    return Domain("d", x, torch.randint(3, (n,), generator=generator), ("a", "b", "c"))


def test_accuracy_counts_the_rows_that_are_right() -> None:
    domain = labelled()
    assert domain.y is not None
    right = sum(int(np.argmax(row)) == y for row, y in zip(domain.x.numpy(), domain.y.tolist(), strict=True))
    assert evaluate.accuracy(nn.Identity(), domain) == right / 50
    assert evaluate.predict(nn.Identity(), domain).tolist() == domain.x.numpy().argmax(axis=1).tolist()


def test_evaluation_runs_in_evaluation_mode_and_restores_every_part() -> None:
    class Watch(nn.Module):
        seen: bool | None = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen = self.training
            return x

    watch = Watch()
    net = nn.Sequential(nn.Dropout(0.9), watch, nn.BatchNorm1d(3))
    net[2].eval()  # a frozen part stays frozen
    before = {name: value.clone() for name, value in net.state_dict().items()}
    evaluate.accuracy(net, labelled())
    assert watch.seen is False
    assert [m.training for m in net] == [True, True, False]
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_modes_are_restored_after_an_error_too() -> None:
    net = nn.Sequential(nn.Linear(7, 3))
    with pytest.raises(TlbookError, match=r"^Sequential cannot read rows of \(3,\) torch.float32 on cpu: [^\n]*$"):
        evaluate.apply(net, torch.zeros(2, 3))
    assert net.training


def test_apply_gives_the_same_in_batches_and_can_be_learned_from() -> None:
    torch.manual_seed(0)
    net, x = nn.Linear(3, 4), labelled().x
    out = evaluate.apply(net, x, batch_size=7)
    torch.testing.assert_close(out, net(x).detach())
    assert not out.requires_grad
    probe = nn.Linear(4, 2)
    probe(out).sum().backward()  # tensors made in inference mode refuse this
    assert probe.weight.grad is not None


def test_accuracy_needs_labels() -> None:
    with pytest.raises(TlbookError, match=r"^domain 'd' has no labels[^\n]*$"):
        evaluate.accuracy(nn.Identity(), labelled().unlabelled())


def test_accuracy_needs_one_logit_a_class() -> None:
    with pytest.raises(TlbookError, match=r"^the method gives \(2,\) logits a row, domain 'd' has 3 classes[^\n]*$"):
        evaluate.accuracy(nn.Linear(3, 2), labelled())


# harmonic mean


@pytest.mark.parametrize(("seen", "unseen"), [(0.8, 0.3), (1.0, 1.0), (0.0, 0.7), (0.0, 0.0), (63.8, 12.6)])
def test_the_harmonic_mean_is_the_inverse_of_the_mean_inverse(seen: float, unseen: float) -> None:
    expected = 2 / (1 / seen + 1 / unseen) if seen and unseen else 0.0
    assert evaluate.harmonic_mean(seen, unseen) == pytest.approx(expected)
    assert evaluate.harmonic_mean(unseen, seen) == evaluate.harmonic_mean(seen, unseen)


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf])
def test_the_harmonic_mean_of_what_is_no_accuracy_is_refused(wrong: float) -> None:
    for pair in ((wrong, 0.5), (0.5, wrong)):
        with pytest.raises(TlbookError, match=r"^(un)?seen is [^\n]*give two accuracies$"):
            evaluate.harmonic_mean(*pair)


# proxy A-distance


def gaussians(shift: float, n: int, width: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, width)), rng.normal(size=(n, width))
    y[:, 0] += shift
    return x, y


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0, 2.0, 4.0])
def test_two_gaussians_are_as_far_apart_as_the_best_rule_tells(shift: float) -> None:
    n = 3000
    best = NormalDist().cdf(-shift / 2)  # the error of the rule "nearer to which mean"
    standard_error = math.sqrt(best * (1 - best) / n)  # on n/2 + n/2 rows held out
    expected = 2 * (1 - 2 * best)
    assert evaluate.proxy_a_distance(*gaussians(shift, n)) == pytest.approx(expected, abs=4 * 3 * standard_error)


@pytest.mark.parametrize("sizes", [(4000, 400), (400, 4000)])
def test_domains_of_different_size_count_the_same(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)

    def distance(n: int, m: int) -> float:  # the wider domain is the harder to tell
        return evaluate.proxy_a_distance(rng.normal(size=(n, 1)), 2 + 3 * rng.normal(size=(m, 1)))

    assert distance(*sizes) == pytest.approx(distance(4000, 4000), abs=0.15)


def test_the_error_is_that_of_rows_held_out() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 200, 500))  # 200 training rows in 500 dimensions: any linear rule fits them
    assert abs(evaluate.proxy_a_distance(x, y)) < 0.5  # 2 by the training error


def test_it_is_that_of_the_best_of_three_logistic_regressions() -> None:
    rng = np.random.default_rng(2)
    for width, shift in ((1, 0.8), (60, 0.25), (200, 0.15)):
        x, y = rng.normal(size=(80, width)), rng.normal(size=(61, width)) + shift
        draw = np.random.default_rng(5)
        a, b = draw.permutation(x), draw.permutation(y)
        train, test = np.concatenate([a[:40], b[:30]]), np.concatenate([a[40:], b[30:]])
        scale = StandardScaler().fit(train)
        errors = {}
        for c in (1e-4, 1e-2, 1.0):
            probe = LogisticRegression(C=c, max_iter=2000, class_weight="balanced")
            wrong = probe.fit(scale.transform(train), [0] * 40 + [1] * 30).predict(scale.transform(test))
            errors[c] = (wrong[:40].mean() + (1 - wrong[40:]).mean()) / 2
        assert evaluate.proxy_a_distance(x, y, seed=5) == pytest.approx(2 * (1 - 2 * min(errors.values())))


def test_scale_and_place_do_not_matter() -> None:
    x, y = gaussians(1.0, 400)
    stretch = np.array([1e-3, 1.0, 1e4])
    there = evaluate.proxy_a_distance(5 + x * stretch, 5 + y * stretch)
    assert there == pytest.approx(evaluate.proxy_a_distance(x, y), abs=1e-6)


def test_it_takes_tensors_of_any_kind_and_is_silent() -> None:
    x, y = (torch.from_numpy(v) for v in gaussians(6.0, 100))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        far = evaluate.proxy_a_distance(x.bfloat16(), y.float().requires_grad_())
        evaluate.proxy_a_distance(x * 0, y * 0)  # constant features
    assert far > 1.8


def test_the_split_depends_on_the_seed_alone() -> None:
    x, y = gaussians(1.0, 100)
    state = np.random.get_state()[1].copy()
    assert evaluate.proxy_a_distance(x, y, seed=1) == evaluate.proxy_a_distance(x, y, seed=1)
    assert len({evaluate.proxy_a_distance(x, y, seed=seed) for seed in range(5)}) > 1
    assert (np.random.get_state()[1] == state).all()


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((9, 2)), np.zeros((9, 3)), r"x has shape \(9, 2\), y \(9, 3\)"),
        (np.zeros((3, 2)), np.zeros((9, 2)), r"a minimum of 4"),
        (np.zeros((9, 1, 2)), np.zeros((9, 1, 2)), r"one row an example"),
        (np.full((9, 2), np.nan), np.zeros((9, 2)), r"NaN"),
    ],
)
def test_bad_features_are_refused(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(TlbookError, match=rf"^[^\n]*{message}[^\n]*$"):
        evaluate.proxy_a_distance(x, y)


# transfer matrix


def shifted(shift: float, seed: int = 0, n: int = 60) -> Domain:
    """Two classes on a line, the boundary at ``shift``."""
    x = torch.linspace(-1, 1, n)[torch.randperm(n, generator=torch.Generator().manual_seed(seed))][:, None]
    return Domain(f"at {shift}", x + shift, (x[:, 0] > 0).long(), ("low", "high"))


def boundary(source: Domain, target: Domain) -> Callable[[Domain], torch.Tensor]:
    """Halfway between the class means of the source."""
    low, high = (source.subset([k]).x.mean() for k in (0, 1))
    return lambda domain: (domain.x[:, 0] > (low + high) / 2).long()


def test_the_transfer_matrix_has_sources_as_rows_and_targets_as_columns() -> None:
    places = (0.0, 0.5, 2.0)
    matrix = evaluate.transfer_matrix(boundary, [shifted(p) for p in places], [shifted(p, 1) for p in places])
    expected = [[1 - min(abs(s - t), 1) / 2 for t in places] for s in places]
    assert matrix == pytest.approx(np.array(expected), abs=0.02)

    def constant(source: Domain, target: Domain) -> Callable[[Domain], np.ndarray]:
        return lambda domain: np.full(len(domain), source.name == "at 0.0" and target.name == "at 2.0", dtype=int)

    one = [domain.subset([1]) for domain in map(shifted, places)]
    assert evaluate.transfer_matrix(constant, one, one).tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_the_transfer_matrix_shows_no_label_of_a_target_and_trains_on_no_test() -> None:
    domains, tests = [shifted(0.0), shifted(1.0)], [shifted(0.0, 1, 20), shifted(1.0, 1, 20)]
    seen = []

    def train(source: Domain, target: Domain) -> Callable[[Domain], torch.Tensor]:
        assert source.y is not None
        assert target.y is None
        assert len(source) == len(target) == 60
        seen.append((source.name, target.name))

        def predictor(domain: Domain) -> torch.Tensor:
            assert domain.y is None
            assert len(domain) == 20
            return torch.zeros(20)

        return predictor

    evaluate.transfer_matrix(train, domains, tests)
    assert seen == [(s.name, t.name) for s in domains for t in domains]


@pytest.mark.parametrize(
    ("domains", "tests", "message"),
    [
        ([labelled()], [], "1 domains and 0 tests"),
        ([labelled(), shifted(0.0)], [labelled(), shifted(0.0)], "different classes"),
        ([labelled()], [labelled().unlabelled()], "no labels given"),
        ([labelled().unlabelled()], [labelled()], "no labels given"),
        ([labelled()], [labelled(7)], r"from 'd' to 'd' gives the shape \(3,\); expected \(7,\)"),
    ],
)
def test_a_transfer_matrix_of_what_does_not_fit_is_refused(
    domains: list[Domain], tests: list[Domain], message: str
) -> None:
    with pytest.raises(TlbookError, match=rf"^[^\n]*{message}[^\n]*$"):
        evaluate.transfer_matrix(lambda source, target: lambda domain: torch.zeros(3), domains, tests)


# what is not finite, batches that fit, and whose statistics


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["inputs", "weights"])
@pytest.mark.parametrize(
    "score", [evaluate.accuracy, evaluate.predict, evaluate.logits_of, evaluate.apply, selection.source_risk]
)
def test_rows_that_are_not_finite_get_no_score(score: Callable[..., object], where: str, value: float) -> None:
    domain, net = labelled(), nn.Linear(3, 3)
    with torch.no_grad():
        (domain.x if where == "inputs" else net.weight)[2, 1] = value
    message = r"^x is not finite in 1 row\(s\), first in row 2; [^\n]*$" if where == "inputs" else "^the output is not"
    if where == "weights" and value == -math.inf:
        net.weight.data[2, 1] = math.nan  # minus infinity may rule a class out
    with pytest.raises(TlbookError, match=message):
        score(net, domain)


def test_a_logit_of_minus_infinity_rules_a_class_out() -> None:
    net = nn.Linear(3, 3)
    net.bias.data[1] = -math.inf
    assert 1 not in evaluate.predict(net, labelled())


@pytest.mark.parametrize(
    ("shape", "largest"), [((1, 28, 28), 1000), ((3, 32, 32), 1000), ((3, 224, 224), 27), ((3, 2500, 2500), 1)]
)
def test_a_batch_of_large_rows_is_small(shape: tuple[int, ...], largest: int) -> None:
    sizes = []

    class Count(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            sizes.append(len(x))
            return x.flatten(1)[:, :2]

    n = largest + 2
    x = torch.zeros(1, *shape, dtype=torch.uint8).expand(n, *shape)
    assert evaluate.apply(Count(), Domain("big", x, None, ("a", "b"))).shape == (n, 2)
    assert (max(sizes), sum(sizes)) == (largest, n)
    sizes.clear()
    evaluate.apply(Count(), x[:3], batch_size=2)
    assert sizes == [2, 1]


def test_floats_outside_the_range_of_pixels_are_refused_before_they_reach_a_device() -> None:
    with pytest.raises(TlbookError, match=r"^x has floats from 0 to 255; expected images in 0…1, [^\n]*$"):
        evaluate.apply(nn.Sequential(nets.Pixels(), nn.Flatten()), torch.tensor([[[[0.0, 255.0]]]]))


@pytest.mark.parametrize("wrong", [0, -1, 2.5, math.nan, "all", True])
def test_a_batch_has_rows(wrong: object) -> None:
    with pytest.raises(TlbookError, match=r"^batch_size is [^\n]*; expected a whole number, at least 1$"):
        evaluate.apply(nn.Identity(), torch.zeros(2, 3), batch_size=wrong)  # type: ignore[arg-type]


def two_statistics() -> nn.Module:
    norm = nets.DomainBatchNorm(1)
    with torch.no_grad(), nets.classify_as(norm, "source"):
        for _ in range(200):
            norm.train()(torch.cat([torch.randn(32, 1, 1, 1), 9 + torch.randn(32, 1, 1, 1)]))
    head = nn.Linear(1, 2)
    head.weight.data, head.bias.data = torch.tensor([[-1.0], [1.0]]), torch.zeros(2)
    return nn.Sequential(norm, nn.Flatten(), head)


def test_source_rows_are_scored_with_the_statistics_of_the_source() -> None:
    net, x = two_statistics(), torch.linspace(-1, 1, 40).view(40, 1, 1, 1)
    rows = Domain("source", x, (x.flatten() > 0).long(), ("low", "high"))
    for domain in ("source", "target"):
        with nets.classify_as(net, domain):
            expected = evaluate.accuracy(net, rows)
            assert evaluate.accuracy(net, rows, statistics=domain) == expected
            assert selection.source_risk(net, rows) == 1 - evaluate.accuracy(net, rows, statistics="source")
            assert net[0].domain == domain
    assert selection.source_risk(net, rows) < 0.1
    assert evaluate.accuracy(net, rows, statistics="target") < 0.6
    with pytest.raises(TlbookError, match=r"^domain is 'sorce'; [^\n]*$"):
        evaluate.accuracy(net, rows, statistics="sorce")  # type: ignore[arg-type]
    with nets.classify_as(net, "source"):
        asked = selection.target_entropy(net, rows.unlabelled())
    assert asked == selection.target_entropy(net, rows.unlabelled())


class Pair(nn.Module):
    def forward(self, x: torch.Tensor) -> object:
        return x, x


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: evaluate.apply(Pair(), torch.zeros(2, 3)),
        lambda: evaluate.apply(nn.Flatten(0), torch.zeros(2, 3)),
        lambda: evaluate.apply(nn.Linear(4, 2), torch.zeros(2, 3)),
        lambda: evaluate.apply(nn.Linear(3, 2).double(), torch.zeros(2, 3)),
        lambda: evaluate.apply(nn.Identity(), torch.zeros(0, 3)),
        lambda: evaluate.apply(nn.Identity(), [[1.0]]),  # type: ignore[arg-type]
        lambda: evaluate.predict(nn.Identity(), torch.zeros(2, 3)),  # type: ignore[arg-type]
        lambda: evaluate.features_of(nn.Identity(), labelled()),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(wrong: Callable[[], object]) -> None:
    with pytest.raises(TlbookError, match=r"^[^\n]*; expected [^\n]*$"):
        wrong()


def test_features_of_a_method_are_flat() -> None:
    from tlbook.methods import SourceOnly

    images = Domain("i", torch.rand(5, 1, 2, 2), None, ("a", "b", "c"))
    method = SourceOnly(nn.ReLU(), nn.Linear(4, 3))
    assert torch.equal(evaluate.features_of(method, images), images.x.flatten(1))
