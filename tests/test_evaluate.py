"""Accuracies count what is right; the proxy A-distance has the value that two Gaussians say."""

import math
import warnings
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
import torch
from torch import nn

from tlbook import evaluate
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
