"""Every row is what its record was made of: the same domains, and the network that its words describe."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tlbook import experiments, nets
from tlbook.data import checksum, jitter, load
from tlbook.experiments import find, names, read, zero_shot

# one row for each way to draw domains; moved copies come out a little otherwise on another kind of processor
DRAWN = [
    "classical-adaptation-gfk",
    "dann-mnist-mnistm",
    "glomo-trec",
    "glomo-trec-few",
    "partial-transfer-mnist-usps-dann",
    "partial-transfer-usps-mnist-dann",
    "self-supervised-usps-1-scratch",
    "self-supervised-usps-10-scratch",
    "theory-customer-reviews-movie-reviews-thresholds",
    "theory-mnist-usps-thresholds",
    "theory-movie-reviews-customer-reviews-thresholds",
    "theory-usps-mnist-thresholds",
]


@pytest.mark.parametrize("name", DRAWN)
def test_the_domains_are_those_of_the_record(name: str, data_root: Path) -> None:
    for entry in (read(name).entries[0], read(name).entries[-1]):
        domains = dict(zip(("source", "target", "test"), find(name).domains(entry["seed"]), strict=True))
        assert {role: checksum(domains[role]) for role in entry["checksums"]} == entry["checksums"]
        assert domains["target"] is None or domains["target"].y is None


@pytest.mark.parametrize(("name", "draw"), [("mnist", 0), ("usps", 1)])
def test_the_sampled_digits_are_moved_as_their_protocol_says(name: str, draw: int, data_root: Path) -> None:
    images = load(name).take(drawn(name)).images(channels=1, size=28)
    expected = jitter(images, times=8, seed=draw, degrees=15, pixels=3, scale=0.3)
    for row in ("adda-mnist-usps", "deep-adaptation-usps-mnist-dan"):
        source, target, test = find(row).domains(5)
        sampled = source if name == source.name else target
        assert torch.equal(sampled.x, expected.x)
        assert (source.y is None, target.y) == (False, None)
        assert torch.equal(source.labels(), load(source.name).take(drawn(source.name)).labels().repeat(8))
        assert test.x.shape == (len(load(test.name, "test")), 1, 28, 28)
        assert test.name == target.name


def drawn(name: str) -> torch.Tensor:
    n = {"mnist": 2_000, "usps": 1_800}[name]
    return torch.randperm(len(load(name)), generator=torch.Generator().manual_seed(0))[:n]


@pytest.mark.parametrize(("share", "labels"), [(1, 7), (10, 73)])
def test_the_few_labelled_digits_are_moved_as_their_protocol_says(share: int, labels: int, data_root: Path) -> None:
    row = find(f"self-supervised-usps-{share}-scratch-changed")
    source, target, test = row.domains(2)
    copies = 250 * 64 // (10 * labels)
    expected = jitter(load("usps").per_class(labels, 2), copies, 2, degrees=15, pixels=2, scale=0.2)
    assert torch.equal(source.x, expected.x)
    assert torch.equal(source.labels(), expected.labels())
    assert target is None
    assert len(test) == 2_007
    assert f"{labels} labelled training images of each digit" in row.protocol
    assert f"in {copies} copies" in row.protocol


@pytest.mark.parametrize("method", zero_shot.METHODS)
def test_a_draw_of_the_digits_is_named_as_recorded(method: str, data_root: Path) -> None:
    name = zero_shot.DIGIT_ROWS["usps", method].name
    entry = read(name).entries[3]
    recorded = entry["measures"] | {"accuracy": entry["accuracy"]}
    assert experiments.run(name, 3) == pytest.approx(recorded, abs=2e-3)


LENET = "1-20×5, {norm}, 20-50×5, {norm}, 800-500"
GREY = "1-20×3, {norm}, 20-50×3, {norm}, 200-128"
DIGITS = "3-32×5, 32-48×5"
HEAD = "768-100, 100-100, 100-10"
NUMBERS = "1-32×3, BatchNorm2d, 32-64×3, BatchNorm2d, 256-128, BatchNorm1d"


def lenet(domain_head: str = "", norm: str = "DomainBatchNorm") -> dict[str, str]:
    return given(features=LENET.format(norm=norm), label_head="500-10", domain_head=domain_head)


def grey(norm: str = "DomainBatchNorm", **parts: str) -> dict[str, str]:
    return given(features=GREY.format(norm=norm), label_head="128-10", **parts)


def given(**parts: str) -> dict[str, str]:
    return {name: part for name, part in parts.items() if part}


CRITIC = "128-128, dropout 0.5, 128-1"
DIGIT_GAME = given(features=DIGITS, label_head=HEAD, domain_head="768-100, 100-1")
NETWORKS: dict[str, dict[str, str]] = {
    "adda-*-source-only": lenet(norm="BatchNorm2d"),
    "adda-*-dann": lenet("500-500, 500-1"),
    "adda-mnist-usps": lenet("500-500, 500-500, 500-1", "BatchNorm2d"),
    "adda-usps-mnist": lenet("500-500, 500-500, 500-1", "BatchNorm2d"),
    "dann-mnist-mnistm": DIGIT_GAME,
    "dann-*-paper-schedule": DIGIT_GAME,
    "dann-*-source-only": given(features=DIGITS, label_head=HEAD),
    "dann-*-domain-norm": DIGIT_GAME | {"features": "3-32×5, DomainBatchNorm, 32-48×5, DomainBatchNorm"},
    "dann-*-no-game": DIGIT_GAME | {"features": "3-32×5, DomainBatchNorm, 32-48×5, DomainBatchNorm"},
    "deep-adaptation-mnist-*": lenet(),
    "deep-adaptation-usps-*": lenet(),
    "deep-adaptation-selectors-dann": grey(domain_head="128-128, 128-1"),
    "deep-adaptation-selectors-d[ad][nc]": grey(),
    "deep-adaptation-selectors-coral": grey(),
    "partial-transfer-*-source-only": grey("BatchNorm2d"),
    "partial-transfer-*-dann": grey(domain_head="128-128, 128-1"),
    "partial-transfer-*-no-game": grey(domain_head="128-128, 128-1"),
    "partial-transfer-*-pada*": grey(domain_head="128-128, 128-1"),
    "partial-transfer-*-san*": grey(domain_heads="10 of 128-64-1"),
    "partial-transfer-*-iwan*": grey("BatchNorm2d", weigher=CRITIC, domain_head=CRITIC),
    "self-supervised-*": given(features=NUMBERS, label_head="128-10"),
    "theory-*-reviews-thresholds": given(label_head="4096-2"),
    "theory-*-usps-thresholds": given(features="1-16×3, 16-24×3", label_head="96-64, 64-2"),
    "theory-usps-*-thresholds": given(features="1-16×3, 16-24×3", label_head="96-64, 64-2"),
}
PRETEXTS: dict[str, dict[str, str]] = {
    "self-supervised-*-rotnet*": given(features=NUMBERS, label_head="128-4"),
    "self-supervised-*-simclr*": given(features=NUMBERS, projection_head="128-128, 128-64"),
}


def words(part: nn.Module) -> str:
    """The layers of a part, in their order; those that hold nothing and drop nothing are left out."""
    told = []
    for layer in [part] if isinstance(part, nets.ClasswiseMLP) else part.modules():
        match layer:
            case nets.ClasswiseMLP():
                classes, hidden, _ = layer.weight.shape
                told.append(f"{classes} of {layer.hidden.in_features}-{hidden}-1")
            case nn.Conv2d():
                told.append(f"{layer.in_channels}-{layer.out_channels}×{layer.kernel_size[0]}")
            case nn.Linear():
                told.append(f"{layer.in_features}-{layer.out_features}")
            case nn.BatchNorm1d() | nn.BatchNorm2d() | nets.DomainBatchNorm():
                told.append(type(layer).__name__)
            case nn.Dropout():
                told.append(f"dropout {layer.p:g}")
    return ", ".join(told)


def parts(method: nn.Module) -> dict[str, str]:
    own = {name: words(part) for name, part in method.named_children() if name != "source_features"}
    return given(**own)


@pytest.mark.parametrize("pattern", NETWORKS)
def test_a_row_has_the_network_of_its_words(pattern: str) -> None:
    for name in matching(pattern):
        assert parts(find(name).method(0)) == NETWORKS[pattern], name


@pytest.mark.parametrize("pattern", PRETEXTS)
def test_a_pretext_has_the_network_of_its_words(pattern: str) -> None:
    for name in matching(pattern):
        before = find(name).before
        assert before is not None
        assert parts(before.method(0)) == PRETEXTS[pattern], name


def matching(pattern: str) -> list[str]:
    found = [name for name in names() if Path(name).match(pattern)]
    assert found
    return found


def test_the_numbers_of_the_benchmarks_are_those_of_the_paper() -> None:
    """Unseen among the unseen alone; then, among all classes, unseen, seen and their harmonic mean, in per cent."""
    printed = """
        ESZSL SUN   54.5 11.0 27.9 15.8
        ESZSL CUB   53.9 12.6 63.8 21.0
        ESZSL AWA2  58.6  5.9 77.8 11.0
        ESZSL APY   38.3  2.4 70.1  4.6
        DAP   SUN   -     4.2 25.1  7.2
        DAP   CUB   -     1.7 67.9  3.3
        DAP   AWA2  -     0.0 84.7  0.0
        DAP   APY   -     4.8 78.3  9.0
    """
    lines = [line.split() for line in printed.strip().splitlines()]
    assert len(lines) == len(zero_shot.BENCHMARK_ROWS)
    for method, name, alone, *rest in lines:
        published = zero_shot.BENCHMARK_ROWS[name, method].published
        assert published.value == (None if alone == "-" else pytest.approx(float(alone) / 100))
        for key, percent in zip(("unseen", "seen", "harmonic"), rest, strict=True):
            assert published.measures[key] == pytest.approx(float(percent) / 100)


def test_the_settings_tried_on_a_benchmark_are_seven_decades_of_each() -> None:
    eszsl, dap = (zero_shot.BENCHMARK_ROWS["AWA2", method].method(0) for method in ("ESZSL", "DAP"))
    decades = [1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0]
    assert [(each.gamma, each.alpha) for each in eszsl] == [(g, a) for g in decades for a in decades]
    assert len(dap) == 1
