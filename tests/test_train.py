"""The training loop: what it samples, what it steps, what it keeps, and what it refuses."""

import copy
import gc
import inspect
import io
import json
import os
import pickle
import random
import subprocess
import sys
import weakref
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

from tests.every_method import interrupted
from tlbook import evaluate, fit, load, nets, train
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods import DANN, Batch, Phase, SourceOnly
from tlbook.train import DivergedError, History

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else [pytest.param("cpu", id="cpu, no CUDA device here")]
sgd = partial(torch.optim.SGD, lr=0.1, momentum=0.9)


class Recorder(SourceOnly):
    """Source-only training that writes down what it is given."""

    def __init__(self, width: int = 3, classes: int = 2) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Dropout(0.2)), nn.Linear(8, classes))
        self.given: list[tuple[Batch, Batch, float]] = []

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        self.given.append((source, target, progress))
        return super().losses(source, target, progress)


def numbered(n: int = 30, name: str = "rows") -> Domain:
    """A domain whose first column is the row's number; its label says whether the number is odd."""
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(0))
    x[:, 0] = torch.arange(n)
    return Domain(name, x, torch.arange(n) % 2, ("even", "odd"))


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(p, q) for p, q in zip(weights(a).values(), weights(b).values(), strict=True))


def run(method: nn.Module, steps: int = 20, **how: Any) -> History:
    how = {"batch_size": 8, "seed": 0, "precision": "fp32"} | how
    return fit(method, how.pop("source", numbered()), how.pop("target", None), steps=steps, **how)  # type: ignore[arg-type]


# what a step sees


def test_the_rows_are_let_go_at_the_end_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        source = numbered()
        rows = weakref.ref(source.x)
        run(SourceOnly(nets.mlp(3, 4), nets.mlp(4, 2)), source=source)
        del source
        assert rows() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("device", DEVICES)
def test_every_pass_sees_every_row_once_with_its_own_label(device: str) -> None:
    method = Recorder()
    run(method, steps=15, device=device)  # 15 · 8 = 4 passes over 30 rows
    rows = torch.cat([source.x[:, 0] for source, _, _ in method.given]).cpu()
    labels = torch.cat([source.labels for source, _, _ in method.given]).cpu()
    passes = rows.long().view(4, 30)
    assert all(sorted(p.tolist()) == list(range(30)) for p in passes)
    assert len({tuple(p.tolist()) for p in passes}) == 4  # each in another order
    assert torch.equal(rows.long() % 2, labels)


def test_a_batch_larger_than_the_domain_goes_round() -> None:
    method = Recorder()
    run(method, steps=3, source=numbered(5), batch_size=16)
    counts = Counter(torch.cat([source.x[:, 0] for source, _, _ in method.given]).tolist())
    assert set(counts.values()) <= {9, 10}
    assert len(counts) == 5


def test_the_rows_depend_on_the_seed_and_the_step_alone() -> None:
    def rows(seed: int, steps: int) -> list[list[float]]:
        method = Recorder()
        torch.manual_seed(steps)  # the caller's own numbers do not matter
        run(method, steps=steps, seed=seed, target=numbered(30, "there"))
        return [torch.cat([s.x[:, 0], t.x[:, 0]]).tolist() for s, t, _ in method.given]

    assert rows(seed=1, steps=12)[:5] == rows(seed=1, steps=5)
    assert rows(seed=1, steps=5) != rows(seed=2, steps=5)
    assert all(row[:8] != row[8:] for row in rows(seed=1, steps=5))  # the domains have orders of their own


def test_images_keep_their_pixels_and_their_type() -> None:
    x = torch.randint(256, (10, 3, 4, 5), dtype=torch.uint8)
    seen: list[Batch] = []

    class Look(SourceOnly):
        def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
            seen.append(source)
            return super().losses(source, target, progress)

    features = nn.Sequential(nets.Pixels(), nn.Flatten())
    run(
        Look(features, nn.Linear(60, 10)), 2, source=Domain("d", x, torch.arange(10), tuple("0123456789")), batch_size=5
    )
    for batch in seen:
        assert batch.x.dtype == torch.uint8
        assert torch.equal(batch.x, x[batch.labels])
        assert batch.x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("wrong", ["source", "target", "validate"])
def test_every_row_is_in_the_range_of_pixels_before_the_first_step(wrong: str, device: str) -> None:
    def domain(name: str) -> Domain:
        x = torch.rand(2500, 1, 2, 2)
        if name == wrong:
            x[2400] = 255
        return Domain(name, x, torch.arange(2500) % 10, tuple("0123456789"))

    method = Recorder(width=4, classes=10)
    method.features = nn.Sequential(nets.Pixels(), nn.Flatten(), method.features)
    with pytest.raises(TlbookError, match=rf"^the domain '{wrong}' has floats from [^\n]* to 255; expected images"):
        fit(
            method,
            domain("source"),
            domain("target"),
            validate=domain("validate"),
            steps=2,
            batch_size=5,
            device=device,
            progress=False,
        )
    assert not method.given


@pytest.mark.parametrize("device", DEVICES)
def test_data_and_method_are_on_the_device(device: str) -> None:
    method = Recorder()
    history = run(method, 2, device=device, target=numbered(20))
    assert {t.device.type for source, target, _ in method.given for t in (source.x, source.labels, target.x)} == {
        device
    }
    assert next(method.parameters()).device.type == device
    assert history.device.startswith(device)


# target labels


def test_no_method_ever_sees_a_target_label() -> None:
    method = Recorder()
    run(method, target=numbered(30, "labelled all the same"))
    assert len(method.given) == 20
    assert all(target.y is None for _, target, _ in method.given)
    assert all(target.x.shape == (8, 3) for _, target, _ in method.given)
    with pytest.raises(TlbookError, match=r"no labels"):
        _ = method.given[0][1].labels


def test_without_a_target_its_batch_is_empty() -> None:
    method = Recorder()
    run(method, 2)
    assert all(target.x.shape == (0, 3) and target.y is None for _, target, _ in method.given)


def test_target_labels_change_nothing() -> None:
    trained = []
    for labels in (torch.zeros(30, dtype=torch.int64), torch.ones(30, dtype=torch.int64), None):
        torch.manual_seed(0)
        method = DANN(nets.mlp(3, 4), nets.mlp(4, 2), nets.mlp(4, 1))
        run(method, target=Domain("t", numbered().x, labels, ("even", "odd")))
        trained.append(method)
    assert same(trained[0], trained[1])
    assert same(trained[0], trained[2])


def test_there_is_no_way_in_for_data_to_select_with() -> None:
    assert list(inspect.signature(fit).parameters) == [
        "method",
        "source",
        "target",
        "steps",
        "batch_size",
        "seed",
        "optimizer",
        "schedule",
        "clip",
        "augment",
        "validate",
        "patience",
        "device",
        "precision",
        "checkpoint",
        "progress",
    ]


# progress, schedule, optimizer


def test_progress_runs_from_zero_to_one_over_this_run() -> None:
    for steps in (2, 7, 20):
        method = Recorder()
        run(method, steps)
        assert [p for _, _, p in method.given] == pytest.approx(np.linspace(0, 1, steps).tolist(), abs=1e-12)
    method = Recorder()
    run(method, 1)
    assert [p for _, _, p in method.given] == [0]


@pytest.mark.parametrize("optimizer", [sgd, partial(torch.optim.Adam, lr=0.01)])
@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_it_is_the_loop_one_would_write_by_hand(optimizer: partial[torch.optim.Optimizer], decay: float) -> None:
    method = Recorder()
    by_hand = copy.deepcopy(method)
    run(method, optimizer=optimizer, schedule=lambda p: 1 - decay * p, seed=3)

    optim = optimizer(by_hand.parameters())  # one optimizer for the whole run
    rate = optim.param_groups[0]["lr"]
    torch.manual_seed(3)
    losses = []
    for source, _, progress in method.given:
        optim.param_groups[0]["lr"] = rate * (1 - decay * progress)
        loss = nn.functional.cross_entropy(by_hand(source.x), source.labels)
        optim.zero_grad()
        loss.backward()
        optim.step()
        losses.append(loss.item())
    assert same(method, by_hand)


def test_every_part_of_a_method_moves_and_what_is_frozen_does_not() -> None:
    torch.manual_seed(0)
    method = DANN(nets.mlp(3, 5, 4), nets.mlp(4, 2), nets.mlp(4, 3, 1))
    method.features.fc1.requires_grad_(False)  # type: ignore[union-attr]
    before = weights(method)
    given: list[dict[str, int]] = []

    def optimizer(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        given.append({group["name"]: len(group["params"]) for group in groups})
        return torch.optim.Adam(groups)

    run(method, optimizer=optimizer, target=numbered())
    for name, after in weights(method).items():
        assert torch.equal(after, before[name]) == name.startswith("features.fc1"), name
    assert given == [{"features": 2, "label_head": 2, "domain_head": 4}]  # made once, of what is trained


def test_several_groups_keep_the_ratio_of_their_rates() -> None:
    rates: list[list[float]] = []

    class Watched(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            rates.append([group["lr"] for group in self.param_groups])
            return super().step(closure)

    def optimizer(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        rates = {"features": 0.1, "label_head": 0.02}
        return Watched([{**group, "lr": rates[group["name"]]} for group in groups])

    run(Recorder(), 3, optimizer=optimizer, schedule=lambda p: 1 - p / 2)
    assert rates == [pytest.approx(r) for r in ([0.1, 0.02], [0.075, 0.015], [0.05, 0.01])]


# history, bar, silence


class Two(Recorder):
    """A second loss term that is what ``values`` say for each step."""

    def __init__(self, values: dict[int, float]) -> None:
        super().__init__()
        self.values = values

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        terms = super().losses(source, target, progress)
        return terms | {"extra": terms["label"] * 0 + self.values.get(len(self.given) - 1, 2.0)}


@pytest.mark.parametrize("steps", [1, 7, 250])
def test_the_history_has_every_term_at_every_step(steps: int) -> None:
    history = run(Two({0: 5.0, 6: 7.0}), steps)
    assert list(history.terms) == ["label", "extra"]
    assert history.terms["extra"] == [5.0 if i == 0 else 7.0 if i == 6 else 2.0 for i in range(steps)]
    assert len(history.terms["label"]) == steps
    assert history.seconds > 0
    assert history.precision == "fp32"


@pytest.mark.parametrize("window", [1, 3, 50])
def test_smooth_is_the_mean_of_the_last_values(window: int) -> None:
    values = np.random.default_rng(0).normal(size=20).tolist()
    expected = [float(np.mean(values[max(0, i - window + 1) : i + 1])) for i in range(20)]
    assert History({"a": values}).smooth("a", window) == pytest.approx(expected, abs=1e-12)


class Screen(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("terminal", "kernel", "progress", "disabled", "shown"),
    [
        (True, False, True, "", True),
        (True, False, True, "0", True),
        (False, True, True, "", True),
        (False, False, True, "", False),
        (True, True, False, "", False),
        (True, True, True, "1", False),
    ],
)
def test_a_bar_is_shown_where_somebody_watches(
    terminal: bool,
    kernel: bool,
    progress: bool,
    disabled: str,
    shown: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, shell = Screen(terminal), SimpleNamespace(**({"kernel": object()} if kernel else {}))
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setenv("TQDM_DISABLE", disabled)
    run(Recorder(), 50, progress=progress)
    last = screen.getvalue().split("\r")[-1]
    assert (last != "") == shown
    if shown:
        assert last.startswith("Recorder: 100%")
        assert "50/50" in last
        assert "label=0." in last


# divergence


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("step", [0, 137, 399])
def test_a_diverging_run_names_the_first_step_and_the_term(step: int, value: float) -> None:
    with pytest.raises(
        DivergedError, match=rf"^training diverged at step {step}: loss term 'extra' is {value};[^\n]*$"
    ):
        run(Two({step: value, step + 1: value}), 400)


def test_a_rate_that_is_too_high_is_found_out(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.pt"
    with pytest.raises(DivergedError, match=r"loss term 'label'"):
        run(Recorder(), 20, optimizer=partial(torch.optim.SGD, lr=1e30), checkpoint=checkpoint)
    saved = torch.load(checkpoint, weights_only=True)["history"]["terms"]["label"]
    assert np.isfinite(saved).all()  # a step whose loss was broken was not kept


# resume


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_in_parts_is_the_whole_run(device: str, precision: str, tmp_path: Path) -> None:
    how: dict[str, Any] = {"optimizer": sgd, "device": device, "precision": precision, "schedule": lambda p: 1 - p}
    whole = Recorder()
    expected = run(whole, 60, **how)
    seen = []
    for stop in (25, 11, 40, None):
        method = Recorder()
        try:
            with interrupted(stop):
                history = run(method, 60, checkpoint=tmp_path / "run.pt", **how)
        except KeyboardInterrupt:
            evaluate.accuracy(method, numbered())  # does not advance anything
        seen += [(round(p * 59), p) for _, _, p in method.given]
    torch.testing.assert_close(weights(method), weights(whole), rtol=0, atol=0)
    assert history.terms == expected.terms
    assert all(p == whole.given[step][2] for step, p in seen)  # λ of a step is the same in every part
    assert {step for step, _ in seen} == set(range(60))


def test_a_finished_run_is_read_and_not_run_again(tmp_path: Path) -> None:
    first, second = Recorder(), Recorder()
    history = run(first, checkpoint=tmp_path / "run.pt")
    again = run(second, checkpoint=tmp_path / "run.pt")
    assert second.given == []
    assert same(first, second)
    assert again.terms == history.terms
    assert again.seconds == history.seconds


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``killed_runs.py`` reports."""
    script, folder = Path(__file__).with_name("killed_runs.py"), tmp_path_factory.mktemp("killed")
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, timeout=300, check=True)
    assert done.stderr == ""
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_run_killed_at_random_moments_ends_in_the_same_bits(killed: dict[str, Any], optimizer: str) -> None:
    answer = killed[optimizer]
    assert answer["kills"] >= 3, answer
    assert answer["digest"] == answer["whole"], answer


def test_a_checkpoint_killed_when_half_written_is_not_seen(killed: dict[str, Any]) -> None:
    answer = killed["half"]
    assert answer["killed"]
    assert answer["left"] == [".run.pt.half", "run.pt"]  # the half is beside the last whole one
    assert answer["digest"] == killed["adam"]["whole"]
    assert answer["after"] == ["result", "run.pt"]  # and goes away with the next


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"steps": 21}, "steps 20; asked for is steps 21"),
        ({"seed": 1}, "seed 0; asked for is seed 1"),
        ({"batch_size": 9}, "batch_size 8; asked for is batch_size 9"),
        ({"precision": "bf16"}, "precision fp32; asked for is precision bf16"),
        ({"optimizer": partial(torch.optim.Adam, lr=1e-2)}, "optimizer Adam"),
        ({"optimizer": sgd}, "asked for is optimizer SGD"),
        ({"source": numbered(31)}, "source Domain('rows': 30 examples"),
        ({"source": numbered(30, "others")}, "asked for is source Domain('others'"),
        ({"target": numbered(20)}, "target None; asked for is target Domain"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(change: dict[str, Any], named: str, tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.pt"
    run(Recorder(), checkpoint=checkpoint)
    with pytest.raises(TlbookError) as caught:
        run(Recorder(), **({"steps": 20} | change), checkpoint=checkpoint)
    message = str(caught.value)
    assert message.startswith(f"checkpoint {checkpoint} is of another run")
    assert named in message
    assert "\n" not in message


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.pt"
    run(Recorder(), checkpoint=checkpoint)
    other = Recorder()
    other.features = nn.Sequential(nn.Linear(3, 9), nn.Linear(9, 8))
    with pytest.raises(TlbookError, match=r"^checkpoint .* is of another run, with [^\n]* asked for is [^\n]*$"):
        run(other, checkpoint=checkpoint)


@pytest.mark.parametrize("broken", ["truncated", "empty", "text", "pickle", "tensor", "other", "folder"])
def test_a_checkpoint_that_cannot_be_read_is_one_line(broken: str, tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.pt"
    run(Recorder(), checkpoint=checkpoint)
    content = checkpoint.read_bytes()
    if broken == "folder":
        checkpoint.unlink()
        checkpoint.mkdir()
    elif broken in ("tensor", "other"):
        torch.save(torch.zeros(3) if broken == "tensor" else {"weights": 1}, checkpoint)
    else:
        checkpoint.write_bytes(
            {
                "truncated": content[: len(content) // 2],
                "empty": b"",
                "text": b"not a checkpoint",
                "pickle": pickle.dumps({"identity": SimpleNamespace()}, protocol=2),
            }[broken]
        )
    with pytest.raises(
        TlbookError, match=r"^checkpoint .*run\.pt cannot be read \(\w+\); expected[^\n]*delete it[^\n]*$"
    ):
        run(Recorder(), checkpoint=checkpoint)


def test_a_checkpoint_in_no_folder_is_refused_before_the_first_step(tmp_path: Path) -> None:
    method = Recorder()
    with pytest.raises(TlbookError, match=r"^checkpoint .* is in no folder that is there[^\n]*$"):
        run(method, checkpoint=tmp_path / "nowhere" / "run.pt")
    assert method.given == []


def test_a_full_disk_is_one_line_and_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves, save = [], torch.save

    def full(content: Any, file: Any) -> None:
        saves.append(copy.deepcopy(content["step"]))
        if len(saves) == 3:
            file.write(b"half of it")
            raise OSError(28, "No space left on device")
        save(content, file)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TlbookError, match=r"^cannot write .*run\.pt \(No space left on device\)[^\n]*$"):
        run(Recorder(), checkpoint=tmp_path / "run.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]
    monkeypatch.undo()
    method = Recorder()
    run(method, checkpoint=tmp_path / "run.pt")
    assert len(method.given) == 20 - saves[1]


# random numbers, synchronisation, precision


@pytest.mark.parametrize("device", DEVICES)
def test_the_callers_random_numbers_are_untouched(device: str) -> None:
    class Noisy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 0.01 * torch.randn(x.shape, device=x.device)  # in evaluation as well

    torch.manual_seed(7)
    method = SourceOnly(Noisy(), nn.Linear(3, 2))
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    cuda = torch.cuda.get_rng_state() if device == "cuda" else None
    run(method, device=device)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]
    if cuda is not None:
        assert torch.equal(torch.cuda.get_rng_state(), cuda)


class Synchronisations(TorchDispatchMode):
    """Counts the operations that make the host wait for the device; ``tolist`` is none where that is the host."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in (torch.ops.aten._local_scalar_dense, torch.ops.aten.item, torch.ops.aten.nonzero):
            self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("device", DEVICES)
def test_the_host_waits_once_a_log_line(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lists: list[int] = []
    tolist = Tensor.tolist
    monkeypatch.setattr(Tensor, "tolist", lambda self: lists.append(len(self)) or tolist(self))

    def waits(steps: int) -> int:
        lists.clear()
        torch.manual_seed(0)
        method = DANN(nets.mlp(3, 4), nets.mlp(4, 2), nets.mlp(4, 1))
        with Synchronisations() as synchronisations:
            run(method, steps, device=device, target=numbered(), batch_size=2)
        return synchronisations.count

    at_the_start = waits(1)
    assert waits(300) == at_the_start
    assert lists == [3] * 100  # three steps a line


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["fp32", "bf16", "auto"])
def test_modules_in_float64_train_and_stay_so(device: str, precision: str) -> None:
    domain = numbered(40)
    domain = Domain("d", (domain.x - 20).double(), (domain.x[:, 0] > 20).long(), ("small", "large"))
    torch.manual_seed(0)
    method = SourceOnly(nets.mlp(3, 8), nets.mlp(8, 2)).double()
    run(method, 100, source=domain, precision=precision, device=device)
    assert {p.dtype for p in method.parameters()} == {torch.float64}
    assert evaluate.accuracy(method, domain) > 0.9


@pytest.mark.parametrize(("has", "chosen"), [(True, "bf16"), (False, "fp32")])
def test_auto_takes_bf16_where_the_device_has_instructions_for_it(
    has: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "_fast_bf16", lambda kind: has)
    assert run(Recorder(), 2, precision="auto", device="cpu").precision == chosen
    assert run(Recorder(), 2, precision="fp32", device="cpu").precision == "fp32"


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_the_networks_run_in_the_precision_that_was_asked_for(precision: str, dtype: torch.dtype) -> None:
    class Look(SourceOnly):
        def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
            seen.append(self(source.x).dtype)
            return super().losses(source, target, progress)

    seen: list[torch.dtype] = []
    method = Look(nets.mlp(3, 4), nets.mlp(4, 2))
    assert run(method, 3, precision=precision, device="cpu").precision == precision
    assert seen == [dtype] * 3
    assert {p.dtype for p in method.parameters()} == {torch.float32}


@pytest.mark.parametrize("device", DEVICES)
def test_bf16_loses_no_accuracy(device: str) -> None:
    source, test = load("digits"), load("digits", split="test")
    accuracy: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for seed in range(3):
        for precision, found in accuracy.items():
            torch.manual_seed(seed)
            method = SourceOnly(nets.conv_features(widths=(8, 16)), nets.mlp(256, 10))
            run(method, 60, source=source, batch_size=32, seed=seed, precision=precision, device=device)
            assert next(method.parameters()).dtype == torch.float32
            found.append(evaluate.accuracy(method, test))
    assert min(accuracy["fp32"]) > 0.75
    # the mean difference of a seed's two accuracies is about 0.001 here, and 0.02 is four times the largest seen
    assert np.mean(accuracy["bf16"]) > np.mean(accuracy["fp32"]) - 0.02


# what it refuses


def unlike(**change: Any) -> Domain:
    domain = numbered()
    return Domain(**({"name": "odd one", "x": domain.x, "y": domain.y, "classes": domain.classes} | change))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"device": "cudaa"}, r"device is 'cudaa'; expected 'auto' or one of \['cpu'"),
        ({"device": "cuda:99"}, r"device is 'cuda:99'"),
        ({"device": "cpu:0"}, r"device is 'cpu:0'"),
        ({"precision": "fp16"}, r"precision is 'fp16'; expected 'auto', 'fp32' or 'bf16'"),
        ({"steps": 0}, r"steps is 0; expected a whole number, at least 1"),
        ({"batch_size": 0}, r"batch_size is 0; expected a whole number, at least 1"),
        ({"seed": -1}, r"seed is -1; expected a whole number, at least 0"),
        ({"steps": 2.5}, r"steps is 2.5"),
        ({"batch_size": "8"}, r"batch_size is '8'"),
        ({"seed": None}, r"seed is None"),
        ({"clip": 0}, r"clip is 0; expected a number, above 0"),
        ({"patience": 3}, r"patience is 3 without rows to validate on; expected validate="),
        ({"patience": 0, "validate": numbered()}, r"patience is 0; expected a whole number, at least 1"),
        ({"optimizer": torch.optim.SGD(Recorder().parameters(), lr=0.1)}, r"optimizer is a SGD; expected a function"),
        ({"optimizer": lambda groups: None}, r"optimizer makes a NoneType; expected an optimizer of torch"),
        ({"optimizer": torch.optim.LBFGS}, r"optimizer cannot be made|optimizer makes a LBFGS"),
        ({"optimizer": partial(torch.optim.SGD, lr=-1)}, r"optimizer cannot be made \(Invalid learning rate: -1\)"),
        ({"schedule": 0.5}, r"schedule is 0.5; expected a function"),
        ({"checkpoint": 5}, r"checkpoint is 5; expected the path of a file"),
        ({"augment": "flip"}, r"augment is 'flip'; expected a function"),
        ({"augment": {"target": torch.flip}}, r"augment is .* expected a function .* each of 'source'"),
        ({"source": (torch.zeros(4, 3), torch.zeros(4))}, r"source is a tuple; expected a Domain: .*from_arrays"),
        ({"source": torch.zeros(4, 3)}, r"source is a Tensor; expected a Domain: .*from_arrays"),
        ({"source": TensorDataset(torch.zeros(4, 3))}, r"source is a TensorDataset; expected .*from_dataset"),
        ({"source": DataLoader(TensorDataset(torch.zeros(4, 3)))}, r"source is a DataLoader; .*from_dataset"),
        ({"target": torch.zeros(4, 3)}, r"target is a Tensor; expected a Domain"),
        ({"validate": torch.zeros(4, 3)}, r"validate is a Tensor; expected a Domain"),
        ({"validate": unlike(y=None)}, r"validate has no labels"),
        ({"validate": unlike(classes=("odd", "even"))}, r"validate is Domain.* the source Domain.*; expected rows"),
        ({"target": unlike(x=numbered().x.double())}, r"source rows are torch.float32, target rows torch.float64"),
        ({"target": unlike(x=numbered().x.byte())}, r"source rows are torch.float32, target rows torch.uint8"),
        ({"target": unlike(classes=("odd", "even"))}, r"has even, odd, target 'odd one' odd, even; expected the same"),
        ({"target": unlike(classes=("Even", "odd"))}, r"has even, odd, target 'odd one' Even, odd"),
        ({"source": unlike(y=None)}, r"source 'odd one' has no labels"),
        ({"target": unlike(x=torch.zeros(30, 4))}, r"source rows have shape \(3,\), target rows \(4,\)"),
        ({"target": unlike(classes=("a", "b", "c"))}, r"has 2 classes, target 'odd one' 3"),
        ({"source": unlike(x=torch.zeros(30, 4))}, r"Recorder cannot read rows of shape \(4,\) and type torch.float32"),
        ({"source": unlike(x=torch.zeros(30, 3).double())}, r"cannot read rows of shape \(3,\) and type torch.float64"),
        ({"source": unlike(classes=("a", "b", "c"))}, r"gives \(2,\) logits a row, source 'odd one' has 3 classes"),
    ],
)
def test_what_does_not_fit_is_one_line_before_the_first_step(how: dict[str, Any], message: str) -> None:
    method = Recorder()
    before = weights(method)
    with pytest.raises(TlbookError, match=rf"^[^\n]*{message}[^\n]*$"):
        run(method, **how)
    assert method.given == []
    assert all(torch.equal(value, before[name]) for name, value in weights(method).items())


@pytest.mark.parametrize("method", [Recorder().requires_grad_(False), SourceOnly(nn.Identity(), nn.Identity())])
def test_a_method_with_nothing_to_train_is_refused(method: SourceOnly) -> None:
    with pytest.raises(TlbookError, match=r"^\w+ has no parameter to train; expected[^\n]*$"):
        run(method)


def test_it_is_one_process_inside_a_cluster_job_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"NTASKS": "4", "JOB_NAME": "sweep", "PROCID": "2", "LOCALID": "2", "NODEID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert len(run(Recorder(), 3).terms["label"]) == 3
    assert os.environ["SLURM_NTASKS"] == "4"


# phases


class TwoPhases(SourceOnly):
    """The label head first, then, from weights of its own, the features alone."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(1, 8), nn.Linear(8, 10))
        self.seen: list[tuple[str, float]] = []
        self.starts = 0

    def _start(self) -> None:
        self.starts += 1
        with torch.no_grad():
            self.features.weight.mul_(2)

    def _losses(self, name: str, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        self.seen.append((name, progress))
        return {name: self.losses(source, target, progress)["label"]}

    def phases(self) -> tuple[Phase, ...]:
        return (
            Phase("head", partial(self._losses, "head"), (self.label_head,), share=1),
            Phase("features", partial(self._losses, "features"), (self.features,), share=2, start=self._start),
        )


def floats() -> Domain:
    x = torch.randn(50, 1, generator=torch.Generator().manual_seed(0))
    return Domain("floats", x, (x[:, 0] > 0).long(), tuple("0123456789"))


def trained(method: TwoPhases, **how: Any) -> History:
    return fit(method, floats(), steps=30, batch_size=8, optimizer=sgd, schedule=lambda p: 1 - p / 2, **how)


def two_phases(seed: int = 0) -> TwoPhases:
    torch.manual_seed(seed)
    return TwoPhases()


def test_each_phase_moves_its_own_parts_and_has_its_own_progress() -> None:
    method = two_phases()
    before = {name: p.detach().clone() for name, p in method.named_parameters()}
    at_start: dict[str, Tensor] = {}

    def start() -> None:
        at_start.update({name: p.detach().clone() for name, p in method.named_parameters()})
        method.label_head.weight.grad = None

    first, second = method.phases()
    method.phases = lambda: (first, replace(second, start=start))  # type: ignore[method-assign]
    history = trained(method)
    for name, p in method.named_parameters():
        moved_first = not torch.equal(at_start[name], before[name])
        moved_second = not torch.equal(p, at_start[name])
        assert (moved_first, moved_second) == (name.startswith("label_head"), name.startswith("features")), name
        assert p.requires_grad
    assert method.label_head.weight.grad is None  # nothing was computed for what rests
    assert [name for name, _ in method.seen] == ["head"] * 10 + ["features"] * 20
    assert [p for _, p in method.seen] == [i / 9 for i in range(10)] + [i / 19 for i in range(20)]
    assert {name: len(values) for name, values in history.terms.items()} == {"head": 10, "features": 20}


@pytest.mark.parametrize("stop", [4, 9, 10, 11, 15, 29])
def test_a_run_in_phases_is_resumed_where_it_stopped(stop: int, tmp_path: Path) -> None:
    whole, parts = two_phases(), two_phases()
    trained(whole)
    checkpoint = tmp_path / "run.pt"

    with pytest.raises(KeyboardInterrupt), interrupted(stop):
        trained(parts, checkpoint=checkpoint)
    again = two_phases()
    trained(again, checkpoint=checkpoint)
    torch.testing.assert_close(weights(again), weights(whole), rtol=0, atol=0)
    assert parts.starts <= 1


def test_what_was_frozen_stays_so_in_every_phase() -> None:
    method = two_phases()
    method.features.bias.requires_grad_(False)
    before = method.features.bias.detach().clone()
    trained(method)
    assert torch.equal(method.features.bias, before)
    assert not method.features.bias.requires_grad


def test_a_phase_without_steps_or_without_parameters_is_refused() -> None:
    with pytest.raises(TlbookError, match="at least one for each phase of TwoPhases: head, features"):
        fit(TwoPhases(), floats(), steps=1, batch_size=8)
    method = two_phases()
    method.features.requires_grad_(False)
    with pytest.raises(TlbookError, match="no parameter to train in the phase 'features'"):
        trained(method)
