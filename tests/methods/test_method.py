"""What every method has from its base class: a file of its weights, groups for an optimizer, labels of a batch."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.every_method import METHODS, domains, make
from tlbook import evaluate, fit, methods, nets
from tlbook.errors import TlbookError
from tlbook.methods import Batch, Method, Phase, SourceOnly
from tlbook.methods.method import parts_of


def state(method: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in method.state_dict().items()}


def plain(width: int = 4, kind: type[SourceOnly] = SourceOnly, **how: Any) -> SourceOnly:
    return kind(nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width)), nn.Linear(width, 3), **how)


@pytest.mark.parametrize("name", METHODS)
def test_what_is_saved_is_loaded_to_the_last_bit(name: str, tmp_path: Path) -> None:
    source, target = domains(name)
    method, again = make(name), make(name, seed=1)
    fit(method, source, target, steps=4, batch_size=8)
    method.save(tmp_path / "method.pt")
    assert again.load(tmp_path / "method.pt") is again
    assert list(again.state_dict()) == list(method.state_dict())
    assert all(torch.equal(value, method.state_dict()[key]) for key, value in again.state_dict().items())
    torch.testing.assert_close(evaluate.apply(again, source), evaluate.apply(method, source))
    assert [p.name for p in tmp_path.iterdir()] == ["method.pt"]


def test_a_path_may_be_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    method = plain()
    method.save("method.pt")
    assert torch.equal(plain().load("method.pt").label_head.weight, method.label_head.weight)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (lambda: methods.DANN(plain().features, nn.Linear(4, 3), nn.Linear(4, 1)), "is of a SourceOnly, not built as"),
        (lambda: plain(kind=methods.FineTune), "is of a SourceOnly, not built as this FineTune; expected"),
        (lambda: plain(width=5), r"features.0.weight is \(\(4, 2\), torch.float32\), here \(\(5, 2\), torch.float32\)"),
        (
            lambda: plain().double(),
            r"features.0.weight is \(\(4, 2\), torch.float32\), here \(\(4, 2\), torch.float64\)",
        ),
        (lambda: SourceOnly(nn.Linear(2, 4), nn.Linear(4, 3)), "features.weight is not there, here"),
        (
            lambda: SourceOnly(plain().features[:1], nn.Linear(4, 3)),
            r"features.1.weight is \(\(4,\), .*, here not there",
        ),  # type: ignore[index]
    ],
)
def test_weights_of_a_method_built_otherwise_are_refused(
    other: Callable[[], Method], named: str, tmp_path: Path
) -> None:
    plain().save(tmp_path / "method.pt")
    method = other()
    before = state(method)
    with pytest.raises(TlbookError, match=rf"^[^\n]*{named}[^\n]*$"):
        method.load(tmp_path / "method.pt")
    assert all(torch.equal(value, before[key]) for key, value in method.state_dict().items())


class Runs:
    """A pickled object that would run a program when it is read."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.file,))


@pytest.mark.parametrize(
    "content", ["nothing", "text", "half", "a list", "another dictionary", "a pickle", "a program"]
)
def test_a_file_that_is_none_is_refused_and_runs_no_program(content: str, tmp_path: Path) -> None:
    file, method = tmp_path / "method.pt", plain()
    method.save(file)
    whole = file.read_bytes()
    saved = {"method": "SourceOnly", "state": method.state_dict(), "more": Runs(tmp_path / "ran")}
    if content == "nothing":
        file.unlink()
    elif content in ("a list", "another dictionary", "a program"):
        torch.save({"a list": [0, 1], "another dictionary": {"state": 1}, "a program": saved}[content], file)
    else:
        file.write_bytes(
            {"text": b"no", "half": whole[: len(whole) // 2], "a pickle": pickle.dumps(saved, protocol=2)}[content]
        )
    again = copy.deepcopy(method)
    with pytest.raises(TlbookError, match=r"^[^\n]*method.pt cannot be read \(\w+\); expected a file that method.save"):
        again.load(file)
    assert not (tmp_path / "ran").exists()
    assert all(torch.equal(value, method.state_dict()[key]) for key, value in again.state_dict().items())


def test_a_checkpoint_runs_no_program(tmp_path: Path) -> None:
    source, _ = domains("SourceOnly")
    file = tmp_path / "run.pt"
    fit(make("SourceOnly"), source, steps=4, batch_size=8, checkpoint=file)
    saved = torch.load(file, weights_only=True)
    torch.save(saved | {"more": Runs(tmp_path / "ran")}, file)
    with pytest.raises(TlbookError, match=r"^checkpoint [^\n]* cannot be read \(UnpicklingError\); expected[^\n]*$"):
        fit(make("SourceOnly"), source, steps=4, batch_size=8, checkpoint=file)
    assert not (tmp_path / "ran").exists()


def test_a_folder_that_is_not_there_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(
        TlbookError, match=r"^cannot write [^\n]*method.pt \(No such file or directory\); expected[^\n]*$"
    ):
        plain().save(tmp_path / "nowhere" / "method.pt")


def test_weights_of_another_device_and_modes_of_the_reader_stay(tmp_path: Path) -> None:
    method = plain().eval()
    plain().save(tmp_path / "method.pt")
    method.features.requires_grad_(False)
    method.load(tmp_path / "method.pt")
    assert not any(part.training for part in method.modules())
    assert [p.requires_grad for p in method.parameters()] == [False] * 4 + [True] * 2


def test_each_part_has_a_group_and_a_parameter_only_one() -> None:
    class Own(SourceOnly):
        def __init__(self) -> None:
            shared = nn.Linear(4, 4)
            super().__init__(nn.Sequential(nn.Linear(2, 4), shared), nn.Sequential(shared, nn.Linear(4, 3)))
            self.scale = nn.Parameter(torch.ones(()))
            self.nothing = nn.ReLU()

    method = Own()
    groups = parts_of(method, method.parameters())
    assert [(group["name"], len(group["params"])) for group in groups] == [
        ("method", 1),
        ("features", 4),
        ("label_head", 2),
    ]
    some = [method.label_head[1].bias]  # type: ignore[index]
    [only] = parts_of(method, some)
    assert only["name"] == "label_head"
    assert only["params"][0] is some[0]


def test_a_batch_without_labels_says_so() -> None:
    labels = torch.arange(3)
    assert Batch(torch.zeros(3, 2), labels).labels is labels
    with pytest.raises(TlbookError, match=r"^the batch has no labels; expected a labelled domain[^\n]*$"):
        _ = Batch(torch.zeros(3, 2)).labels


def test_logits_are_those_of_the_head_on_the_features() -> None:
    method = SourceOnly(nets.mlp(2, 4), nets.mlp(4, 3))
    x = torch.randn(5, 2)
    assert torch.equal(method(x), method.label_head(method.features(x)))


def test_a_phase_is_a_value_and_by_itself_has_one_share_and_the_whole_rate() -> None:
    phase = Phase("training", lambda source, target, progress: {}, ())
    assert (phase.share, phase.rate, phase.start()) == (1.0, 1.0, None)
    with pytest.raises(FrozenInstanceError):
        phase.rate = 2.0  # type: ignore[misc]
