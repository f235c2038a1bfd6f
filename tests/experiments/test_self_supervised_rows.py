"""The recorded rows of self-supervision: the same network and steps, no label in the pretext, labels drawn anew."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tlbook import fit
from tlbook.data import Domain
from tlbook.experiments import find, names, pretraining, self_supervised
from tlbook.experiments.self_supervised import PreTrained, features, rotnet, scratch, simclr, usps
from tlbook.methods import Method, SimCLR

ROWS = [name for name in names() if name.startswith("self-supervised-usps-")]


def digits(split: str = "train") -> Domain:
    n = 400 if split == "train" else 50
    x = torch.randint(0, 256, (n, 1, 16, 16), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    return Domain("usps", x, torch.arange(n) % 10, tuple("0123456789"))


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise in the place of USPS, and a cache of our own."""
    monkeypatch.setattr(self_supervised, "load", lambda name, split="train": digits(split))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def shapes(module: nn.Module) -> list[torch.Size]:
    return [p.shape for p in module.parameters()]


def test_every_row_has_the_network_the_steps_and_the_rate_of_the_one_from_scratch() -> None:
    assert len(ROWS) == 14
    for share in ("1", "10"):
        rows = [find(name) for name in ROWS if name.startswith(f"self-supervised-usps-{share}-")]
        assert len(rows) == 7
        assert {row.steps for row in rows} == {250}
        assert len({str(row.optimizer) for row in rows}) == len({row.selection for row in rows}) == 1
        for row in rows:
            method = row.method()
            assert shapes(method.features) + shapes(method.label_head) == shapes(scratch())
            assert ("changed" in row.name) == ("copies" in row.protocol)


def test_each_seed_draws_its_labels_and_copies_follow_the_images() -> None:
    first, second = (usps(seed, per_class=7, copies=1)[0] for seed in (0, 1))
    assert first.labels().bincount().tolist() == second.labels().bincount().tolist() == [7] * 10
    assert not torch.equal(first.x, second.x)
    copied, target, test = usps(0, per_class=7, copies=5)
    assert torch.equal(copied.x[:70], first.x)
    assert len(copied) == 350
    assert target is None
    assert len(test) == 50


@pytest.mark.parametrize("pretext", [rotnet, simclr])
@pytest.mark.parametrize("frozen", [False, True])
def test_labels_begin_where_the_pretext_ended(pretext: object, frozen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Domain] = []
    begun: list[dict[str, Tensor]] = []

    def looked_at(method: Method, images: Domain, target: None, **how: Any) -> object:
        trained.append(images)
        return fit(method, images, target, **how)

    monkeypatch.setattr(pretraining, "fit", looked_at)
    torch.manual_seed(1)
    method = PreTrained(pretext, 3, 16, frozen)  # type: ignore[arg-type]
    put_in = method.pre_train

    def watched() -> None:
        put_in()
        begun.append({name: w.clone() for name, w in method.features.state_dict().items()})

    method.pre_train = watched  # type: ignore[method-assign]
    few, _, _ = usps(0, 7, 1)
    start = features().state_dict()
    fit(method, few, steps=4, batch_size=16, seed=5, precision="fp32")
    assert trained[0].y is None
    assert len(trained[0]) == 400
    assert len(begun) == 1
    assert not torch.equal(begun[0]["0.conv1.0.weight"], start["0.conv1.0.weight"])
    same = [torch.equal(w, begun[0][name]) for name, w in method.features.state_dict().items()]
    assert all(same) == frozen

    torch.manual_seed(1)
    again = PreTrained(pretext, 3, 16, frozen)  # type: ignore[arg-type]
    fit(again, few, steps=4, batch_size=16, seed=5, precision="fp32")
    for name, w in again.state_dict().items():  # from what was kept, to the same bits
        assert torch.equal(w, method.state_dict()[name])


def test_another_seed_has_a_pretext_of_its_own() -> None:
    found = []
    for seed in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            method = PreTrained(partial(rotnet), 2, 16)
            method.pre_train()
        found.append(method.features.state_dict()["0.conv1.0.weight"])
    assert not torch.equal(*found)


def test_the_pretext_begins_the_same_whatever_was_drawn_before() -> None:
    found = []
    for drawn_before in (0, 5):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            torch.rand(drawn_before)
            method = PreTrained(partial(rotnet), 2 + drawn_before, 16)
            method.pretext = partial(_begun, found)  # type: ignore[assignment]
            method.pre_train()
    assert torch.equal(*found)


def _begun(found: list[Tensor]) -> Method:
    method = rotnet()
    found.append(method.features.state_dict()["0.conv1.0.weight"].clone())
    return method


def test_what_is_said_of_the_pretext_is_what_is_done() -> None:
    for name in ROWS:
        experiment = find(name)
        method = experiment.method()
        assert isinstance(method, PreTrained) == ("scratch" not in name)
        if not isinstance(method, PreTrained):
            continue
        assert method.frozen == ("frozen" in experiment.title) == ("probe" in name)
        assert f"{method.steps:,} × {method.batch_size} images" in experiment.training
        pretext = method.pretext()
        assert type(pretext).__name__.lower() == name.split("-")[4]
        if isinstance(pretext, SimCLR):
            assert f"temperature {pretext.temperature}" in experiment.training
            assert str(pretext.augment) == "Affine(degrees=15, pixels=2, scale=0.2)"
            assert "by up to 15 degrees, moved by up to 2 pixels and scaled by up to 20 per cent" in experiment.training
