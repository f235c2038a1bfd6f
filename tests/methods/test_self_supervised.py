"""RotNet and SimCLR against their papers: no label is read, every image has its own views, the head is thrown away."""

import copy
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms import v2

from tests.every_method import interrupted
from tlbook import evaluate, fit, load, nets
from tlbook.data import Domain
from tlbook.data.views import Affine, Light, PerImage
from tlbook.errors import TlbookError
from tlbook.losses import nt_xent
from tlbook.methods import Batch, FineTune, RotNet, SimCLR, SourceOnly
from tlbook.methods.self_supervised import quarter_turns

sgd = partial(torch.optim.SGD, lr=0.05, momentum=0.9)
NOTHING = Batch(torch.empty(0, 1, 8, 8))


def features() -> nn.Sequential:
    return nn.Sequential(nets.Pixels(), nn.Flatten(), nets.mlp(64, 10, 6))


def simclr(seed: int = 0, augment: Any = None, **how: Any) -> SimCLR:
    torch.manual_seed(seed)
    return SimCLR(features(), nets.mlp(6, 7, 5), augment or Affine(), **how)


def rotnet(seed: int = 0) -> RotNet:
    torch.manual_seed(seed)
    return RotNet(features(), nets.mlp(6, 4))


def images(n: int = 40) -> Domain:
    x = torch.randint(0, 256, (n, 1, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    return Domain("noise", x, torch.arange(n) % 3, ("a", "b", "c"))


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


# RotNet


def test_the_turns_are_those_of_numpy_each_image_in_all_four() -> None:
    x = torch.randn(5, 3, 7, 7)
    turned, turns = quarter_turns(x)
    assert turns.tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5
    for i in range(20):
        image = x[i % 5]
        for _ in range(int(turns[i])):
            image = image.transpose(1, 2).flip(1)  # a quarter to the left
        assert torch.equal(turned[i], image)


def test_rotnet_is_the_mean_of_minus_log_p_over_images_and_turns() -> None:
    method, x = rotnet().double(), torch.rand(5, 1, 8, 8).double()
    total = 0.0
    for image in x:
        for k in range(4):
            logits = method.label_head(method.features(image.rot90(k, dims=(1, 2))[None]))[0]
            total -= math.log(logits.softmax(dim=0)[k].item())
    got = method.losses(Batch(x), NOTHING, 0.3)
    assert list(got) == ["rotation"]
    assert got["rotation"].item() == pytest.approx(total / 20, abs=1e-10)


def test_an_image_that_looks_the_same_after_a_turn_cannot_be_learned() -> None:
    torch.manual_seed(0)
    quarter = torch.rand(1, 1, 4, 4)
    left = torch.cat([quarter, quarter.rot90(1, (2, 3))], dim=2)
    whole = torch.cat([left, left.rot90(2, (2, 3))], dim=3)
    assert torch.equal(whole, whole.rot90(1, (2, 3)))
    zero = Domain("symmetric", whole.repeat(8, 1, 1, 1), None, ("o",))
    method = rotnet()
    history = fit(method, zero, steps=200, batch_size=8, optimizer=sgd, precision="fp32")
    assert history.terms["rotation"][-1] == pytest.approx(math.log(4), abs=0.02)


@pytest.mark.parametrize("shape", [(4, 1, 8, 6), (4, 8, 8), (4, 64)])
def test_images_that_are_not_square_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(TlbookError, match=r"^x has shape .*; expected square images N×C×S×S") as caught:
        rotnet().losses(Batch(torch.zeros(shape)), NOTHING, 0.0)
    assert "\n" not in str(caught.value)


# SimCLR


def test_simclr_is_the_loss_of_two_views_through_the_head() -> None:
    method = simclr(temperature=0.2)
    x = images().x
    torch.manual_seed(7)
    got = method.losses(Batch(x), NOTHING, 0.5)
    assert list(got) == ["contrast"]
    torch.manual_seed(7)
    z = [method.projection_head(method.features(Affine()(x))) for _ in range(2)]
    torch.testing.assert_close(got["contrast"], nt_xent(z[0], z[1], 0.2))
    assert not torch.isclose(got["contrast"], nt_xent(z[0], z[1], 0.5))


def test_the_two_views_of_an_image_differ_and_so_do_those_of_its_copies() -> None:
    method, seen = simclr(), []
    method.features.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    method.losses(Batch(images().x[:1].expand(6, -1, -1, -1)), NOTHING, 0.0)
    assert len(torch.cat(seen).unique(dim=0)) == 12


class OwnModule(nn.Module):
    """A reader's module with a transform of torchvision in it."""

    def __init__(self) -> None:
        super().__init__()
        self.crop = v2.RandomResizedCrop(8)

    def forward(self, x: Tensor) -> Tensor:
        return self.crop(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "augment",
    [
        v2.RandomResizedCrop(8),
        v2.Compose([v2.RandomResizedCrop(8), v2.RandomHorizontalFlip()]),
        nn.Sequential(v2.RandomResizedCrop(8)),
        nn.Sequential(Affine(), v2.RandomResizedCrop(8)),
        PerImage(v2.RandomResizedCrop(8)),
        nn.Sequential(nn.Sequential(v2.RandomResizedCrop(8)), Affine()),
        OwnModule(),
    ],
)
def test_a_transform_of_torchvision_draws_for_each_image(augment: Any) -> None:
    method = simclr(augment=augment)
    x = images().x[:1].expand(8, -1, -1, -1)
    torch.manual_seed(0)
    assert len(method.augment(x).unique(dim=0)) > 6


def test_views_are_made_in_full_precision_under_autocast() -> None:
    seen: list[torch.dtype] = []

    def noting(x: Tensor) -> Tensor:
        seen.append((x.float().flatten(1) @ x.float().flatten(1).T).dtype)
        return x

    with torch.autocast("cpu", dtype=torch.bfloat16):
        simclr(augment=noting).losses(Batch(images().x), NOTHING, 0.0)
    assert seen == [torch.float32] * 2


def test_a_run_is_described_with_its_temperature_and_its_views() -> None:
    assert len({str(simclr()), str(simclr(temperature=0.9)), str(simclr(augment=abs))}) == 3


@pytest.mark.parametrize("numbers", [3, 10])
def test_a_rotation_head_of_another_width_is_refused(numbers: int) -> None:
    with pytest.raises(TlbookError, match="expected four"):
        RotNet(features(), nets.mlp(6, numbers)).losses(Batch(images().x), NOTHING, 0.0)


def test_batch_statistics_are_those_of_both_views_together() -> None:
    counted = nn.Sequential(nets.Pixels(), nn.Flatten(), nn.BatchNorm1d(64))
    method = SimCLR(counted, nets.mlp(64, 4), Affine())
    method.losses(Batch(images().x), NOTHING, 0.0)
    assert counted[2].num_batches_tracked == 1


def test_a_function_of_the_readers_own_is_left_as_it_is() -> None:
    def dim(x: Tensor) -> Tensor:
        return x // 2

    assert simclr(augment=dim).augment is dim


def test_what_is_transferred_are_the_features_and_not_the_projections() -> None:
    method, domain = simclr(), images()
    h = method.features.eval()(domain.x)
    torch.testing.assert_close(evaluate.apply(method, domain.x), h.detach())
    assert h.shape == (40, 6)
    tuned = FineTune(method.features, nets.mlp(6, 3))
    assert not [name for name in weights(tuned) if "projection" in name]


@pytest.mark.parametrize("temperature", [0.0, -0.5, math.nan, math.inf])
def test_a_temperature_that_is_not_above_0_is_refused(temperature: float) -> None:
    with pytest.raises(TlbookError, match=rf"^temperature is {temperature}; expected a number, above 0[^\n]*$"):
        simclr(temperature=temperature)


def test_a_batch_of_one_and_values_that_are_no_numbers_are_refused_in_one_line() -> None:
    domain = images()
    with pytest.raises(TlbookError, match=r"^x has 1 rows; expected at least 2: make the batches larger$"):
        fit(simclr(), domain, steps=2, batch_size=1)
    broken = Domain("broken", domain.x / 255 * math.nan, domain.y, domain.classes)
    for method in (simclr(), rotnet()):
        with pytest.raises(TlbookError, match=r"^[^\n]*(not finite|is nan|from nan to nan)[^\n]*$"):
            fit(method, broken, steps=2, batch_size=8)


# both


@pytest.mark.parametrize("make", [simclr, rotnet])
def test_no_label_is_read(make: Any) -> None:
    domain, found = images(), []
    for y in (domain.y, None, 2 - domain.labels()):
        method = make()
        fit(method, Domain("noise", domain.x, y, domain.classes), steps=6, batch_size=8, precision="fp32")
        found.append(weights(method))
    torch.testing.assert_close(found[1:], [found[0]] * 2, rtol=0, atol=0)


def test_a_method_that_reads_labels_still_asks_for_them() -> None:
    with pytest.raises(TlbookError, match=r"^source 'noise' has no labels"):
        fit(SourceOnly(features(), nets.mlp(6, 3)), images().unlabelled(), steps=1, batch_size=8)
    with pytest.raises(TlbookError, match=r"^the label head gives \(4,\) logits a row"):
        fit(SourceOnly(features(), nets.mlp(6, 4)), images(), steps=1, batch_size=8)


@pytest.mark.parametrize("make", [simclr, rotnet])
def test_every_part_learns(make: Any) -> None:
    method = make()
    before = weights(method)
    fit(method, images().unlabelled(), steps=20, batch_size=16, optimizer=sgd, precision="fp32")
    assert not [name for name, value in method.named_parameters() if torch.equal(value, before[name])]


@pytest.mark.parametrize("make", [simclr, rotnet])
def test_a_run_in_parts_is_the_whole_run(make: Any, tmp_path: Path) -> None:
    run = partial(fit, source=images().unlabelled(), steps=20, batch_size=8, optimizer=sgd, precision="fp32")
    whole, again = make(), make()
    run(whole)
    with pytest.raises(KeyboardInterrupt), interrupted(13):
        run(make(), checkpoint=tmp_path / "run.pt")
    run(again, checkpoint=tmp_path / "run.pt")
    torch.testing.assert_close(weights(again), weights(whole), rtol=0, atol=0)


def test_both_learn_features_that_a_linear_probe_reads_better_than_those_they_start_from() -> None:
    train, test = (load("digits", split).images(channels=1, size=14) for split in ("train", "test"))
    few = train.per_class(2, seed=0)

    def probe(net: nn.Module) -> float:
        h, g = (F.normalize(evaluate.apply(net, x) - evaluate.apply(net, train.x).mean(dim=0)) for x in (few.x, test.x))
        return (few.labels()[(g @ h.T).argmax(dim=1)] == test.labels()).double().mean().item()

    torch.manual_seed(0)
    start = nn.Sequential(*nets.conv_features(1, (8, 16), kernel=3), nets.mlp(64, 32), nn.ReLU())
    contrast = SimCLR(copy.deepcopy(start), nets.mlp(32, 32, 16), nn.Sequential(Affine(pixels=1.5), Light()), 0.2)
    fit(contrast, train.unlabelled(), steps=400, batch_size=64, precision="fp32")
    assert probe(contrast.features) > probe(start) + 0.03
    turns = RotNet(copy.deepcopy(start), nets.mlp(32, 4))
    history = fit(turns, train.unlabelled(), steps=150, batch_size=32, precision="fp32")
    assert history.smooth("rotation")[-1] < 0.7
