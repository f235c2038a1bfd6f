"""The recorded rows of self-supervision: the same network and steps, no label in the pretext, labels drawn anew."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tlbook import fit
from tlbook.data import Domain
from tlbook.experiments import Training, find, names, self_supervised
from tlbook.experiments.experiment import seeded
from tlbook.experiments.result import pre_train
from tlbook.experiments.self_supervised import fine_tuned, pretext, rotnet, scratch, simclr, usps

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
        assert {row.training.steps for row in rows} == {250}
        assert len({str(row.training) for row in rows}) == len({row.selection for row in rows}) == 1
        for row in rows:
            method = row.method(0)
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


@pytest.mark.parametrize("build", [rotnet, simclr])
@pytest.mark.parametrize("frozen", [False, True])
def test_labels_begin_where_the_pretext_ended(build: Any, frozen: bool) -> None:
    before = replace(pretext(build, 3, 16), training=Training(3, 16, precision="fp32"))
    images, target = before.domains(5)
    assert images.y is None
    assert (len(images), target) == (400, None)
    by_hand = before.method(5)
    fit(by_hand, images, steps=3, batch_size=16, seed=5, precision="fp32")
    few, _, _ = usps(0, 7, 1)
    methods = [seeded(partial(fine_tuned, frozen))(5) for _ in range(2)]
    for method in methods:  # the second from what was kept
        start = {name: w.clone() for name, w in method.features.state_dict().items()}
        pre_train(before, method, 5, progress=False)
        begun = {name: w.clone() for name, w in method.features.state_dict().items()}
        assert all(torch.equal(w, begun[name]) for name, w in by_hand.features.state_dict().items())
        assert not torch.equal(begun["0.conv1.0.weight"], start["0.conv1.0.weight"])
        fit(method, few, steps=4, batch_size=16, seed=5, precision="fp32")
        same = [torch.equal(w, begun[name]) for name, w in method.features.state_dict().items()]
        assert all(same) == frozen
    one, other = (method.state_dict() for method in methods)
    assert all(torch.equal(w, other[name]) for name, w in one.items())


def test_another_seed_has_a_pretext_of_its_own() -> None:
    found = []
    for seed in (0, 1):
        method = seeded(fine_tuned)(0)
        pre_train(pretext(rotnet, 2, 16), method, seed, progress=False)
        found.append(method.features.state_dict()["0.conv1.0.weight"])
    assert not torch.equal(*found)


def test_the_rows_that_share_a_pretext_share_it_whole() -> None:
    for name in ROWS:
        row = find(name)
        kind = name.split("-")[4]
        assert (row.before is None) == (kind == "scratch")
        if row.before is None:
            continue
        assert row.before == find(f"self-supervised-usps-1-{kind}").before
        method = row.method(0)
        assert method.frozen == ("frozen" in row.title) == ("probe" in name)
        said = row.described()["training"]
        assert f"{row.before.training.steps:,} steps of {row.before.training.batch_size}" in said
        assert type(row.before.method(0)).__name__.lower() == kind
        if kind == "simclr":
            assert "degrees=15, pixels=2, scale=0.2), temperature = 0.2" in said
