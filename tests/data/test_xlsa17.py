"""The benchmark layout: counted from 0, classes apart, and a clear line where a file is missing or does not fit."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat
from typer.testing import CliRunner

from tlbook.data import xlsa17
from tlbook.data.commands import app
from tlbook.data.xlsa17 import load_benchmark, load_splits
from tlbook.errors import TlbookError

LABELS = np.array([1, 1, 1, 2, 2, 2, 3, 3, 4, 4])  # from 1; classes 3 and 4 are unseen


def tables(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two files of a benchmark of ten images, four classes and three attributes, as MATLAB has them."""
    rng = np.random.default_rng(0)
    names = np.empty((4, 1), object)
    names[:, 0] = ["cat", "owl", "bat", "elk"]
    column = lambda *numbers: np.array(numbers, np.uint16)[:, None]  # noqa: E731
    splits = {
        "allclasses_names": names,
        "att": rng.normal(size=(3, 4)),
        "original_att": rng.uniform(0, 100, size=(3, 4)),
        "train_loc": column(2, 1),
        "val_loc": column(5, 4),
        "trainval_loc": column(2, 1, 5, 4),
        "test_seen_loc": column(3, 6),
        "test_unseen_loc": column(10, 7, 8, 9),
    }
    features = {"features": rng.normal(size=(2048, 10)), "labels": LABELS[:, None].astype(np.uint8)}
    for table in (splits, features):
        table.update({key: value for key, value in changes.items() if key in table})
    return splits, features


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(xlsa17.BENCHMARKS, "CUB", (4, 3))


def save(root: Path, unpacked: bool = True, **changes: Any) -> Path:
    folder = root / "xlsa17" / "data" / "CUB" if unpacked else root / "zero-shot"
    folder.mkdir(parents=True)
    for name, table in zip(("att_splits.mat", "res101.mat"), tables(**changes), strict=True):
        savemat(folder / (name if unpacked else f"CUB_{name}"), table)
    return root


@pytest.mark.parametrize("unpacked", [True, False])
def test_locations_and_labels_count_from_0(unpacked: bool, tmp_path: Path) -> None:
    benchmark = load_benchmark("CUB", save(tmp_path, unpacked))
    splits, features = tables()
    assert benchmark.splits.classes == ("cat", "owl", "bat", "elk")
    assert benchmark.splits.trainval.tolist() == [1, 0, 4, 3]
    assert benchmark.seen.tolist() == [0, 1]
    assert benchmark.unseen.tolist() == [2, 3]
    np.testing.assert_allclose(benchmark.splits.signatures, splits["att"].T)
    unseen = benchmark.part("test_unseen")
    assert unseen.y.tolist() == [3, 2, 2, 3]
    np.testing.assert_allclose(unseen.x.numpy(), features["features"].T[[9, 6, 7, 8]], rtol=1e-6)
    assert benchmark.part("trainval").y.tolist() == [0, 0, 1, 1]
    assert benchmark.part("test_seen").y.tolist() == [0, 1]
    assert unseen.x.dtype == torch.float32


def test_either_kind_of_signatures(tmp_path: Path) -> None:
    save(tmp_path)
    np.testing.assert_allclose(load_splits("CUB", tmp_path, "original_att").signatures, tables()[0]["original_att"].T)
    with pytest.raises(TlbookError, match=r"^field is 'w2v'; expected 'att' or 'original_att'$"):
        load_splits("CUB", tmp_path, "w2v")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "sizes"), [("AWA2", (50, 85, 23527, 5882, 7913)), ("APY", (32, 64, 5932, 1483, 7924))]
)
def test_the_real_splits(name: str, sizes: tuple[int, ...], real_root: Path) -> None:
    splits = load_splits(name, real_root)
    parts = (splits.trainval, splits.test_seen, splits.test_unseen)
    assert (*splits.signatures.shape, *map(len, parts)) == sizes
    assert len(splits.classes) == sizes[0]
    np.testing.assert_allclose(np.linalg.norm(splits.signatures, axis=1), 1, rtol=1e-6)
    everything = np.concatenate(parts)
    assert len(np.unique(everything)) == len(everything)
    assert set(splits.train) | set(splits.val) == set(splits.trainval)
    assert not set(splits.train) & set(splits.val)
    original = load_splits(name, real_root, "original_att").signatures
    cosine = (splits.signatures * original).sum(axis=1) / np.linalg.norm(original, axis=1)
    np.testing.assert_allclose(cosine, 1, atol=1e-6)


def test_without_the_features_one_line_says_what_is_needed_and_from_where(tmp_path: Path) -> None:
    (save(tmp_path) / "xlsa17" / "data" / "CUB" / "res101.mat").unlink()
    assert load_splits("CUB", tmp_path).trainval.tolist() == [1, 0, 4, 3]
    line = (
        r"^res101\.mat of CUB is missing; expected [^\n]*CUB_res101\.mat or [^\n]*: `tlbook data fetch xlsa17`, "
        r"or unpack https?://[^\n]*xlsa17\.zip"
    )
    with pytest.raises(TlbookError, match=line + r"[^\n]*$"):
        load_benchmark("CUB", tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": np.array([1, 1, 1, 2, 2, 2, 3, 3, 4, 1])[:, None]},  # an unseen image of a seen class
        {"labels": np.array([1, 1, 3, 2, 2, 2, 3, 3, 4, 4])[:, None]},  # a seen test image of an unseen class
        {"labels": LABELS[:9, None]},
        {"labels": np.where(LABELS == 4, 5, LABELS)[:, None]},
        {"labels": LABELS[:, None] - 1},
        {"features": np.full((2048, 10), np.nan)},
        {"features": np.zeros((2048, 9)), "labels": LABELS[:9, None]},
        {"test_unseen_loc": np.zeros((0, 1))},
        {"test_unseen_loc": np.array([[0], [7]])},
        {"test_seen_loc": np.array([[1], [6]])},
        {"att": np.zeros((4, 3))},
        {"att": np.full((3, 4), np.nan)},
    ],
)
def test_files_that_do_not_fit_are_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(TlbookError, match=r"^[^\n]*(att_splits|res101)\.mat [^\n]*expected [^\n]*$"):
        load_benchmark("CUB", save(tmp_path, **changes))


@pytest.mark.parametrize("file", ["att_splits.mat", "res101.mat"])
def test_rubbish_is_refused(file: str, tmp_path: Path) -> None:
    path = save(tmp_path) / "xlsa17" / "data" / "CUB" / file
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(TlbookError, match=r"^[^\n]*\.mat cannot be read[^\n]*$"):
        load_benchmark("CUB", tmp_path)
    savemat(path, {"nothing": np.zeros(3)})
    with pytest.raises(TlbookError, match=r"^[^\n]*\.mat cannot be read[^\n]*$"):
        load_benchmark("CUB", tmp_path)


def test_an_unknown_benchmark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TlbookError, match=r"^benchmark is 'AWA1'; expected one of AWA2, APY, CUB, SUN$"):
        load_splits("AWA1", tmp_path)


@pytest.mark.parametrize(
    ("missing", "train", "val"),
    [
        (["train_loc"], [0, 1], [3, 4]),
        (["val_loc"], [0, 1], [3, 4]),
        (["train_loc", "val_loc"], None, None),
    ],
)
def test_files_without_locations_for_choosing(missing, train, val, tmp_path: Path) -> None:
    path = save(tmp_path) / "xlsa17" / "data" / "CUB" / "att_splits.mat"
    table = tables()[0]
    savemat(path, {key: value for key, value in table.items() if key not in missing})
    splits = load_splits("CUB", tmp_path)
    assert sorted(splits.train.tolist()) == (train or [])
    assert sorted(splits.val.tolist()) == (val or [])
    splits = load_benchmark("CUB", tmp_path).splits
    drawn = {tuple(sorted(part.tolist())) for part in (splits.train, splits.val)}
    assert drawn == {(0, 1), (3, 4)}  # whole classes, each in one of the two
    assert load_benchmark("CUB", tmp_path).splits.train.tolist() == splits.train.tolist()


@pytest.fixture
def published(tmp_path: Path, website, monkeypatch: pytest.MonkeyPatch):
    """The archive of a single small benchmark on a server, and an empty data root."""
    for name in ("AWA2", "APY", "SUN"):
        monkeypatch.delitem(xlsa17.BENCHMARKS, name)
    save(tmp_path / "there")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (tmp_path / "there").rglob("*.mat"):
            archive.write(file, file.relative_to(tmp_path / "there"))
        archive.writestr("xlsa17/README", "more than is asked for")
    website.replies["/xlsa17.zip"] = [packed.getvalue()]
    monkeypatch.setattr(xlsa17, "HOME", website.url + "/xlsa17.zip")
    monkeypatch.setenv("TLBOOK_DATA", str(tmp_path / "root"))
    return website


def test_fetch_takes_the_files_out_of_the_archive(published, tmp_path: Path) -> None:
    def run(*words):
        return CliRunner().invoke(app, words)

    assert " no " in next(line for line in run("list").output.splitlines() if line.startswith("xlsa17"))
    assert run("fetch", "xlsa17").output == "xlsa17: ready\n"
    assert len(load_benchmark("CUB").images) == 10
    assert sorted(file.name for file in (tmp_path / "root").rglob("*") if file.is_file()) == [
        "att_splits.mat",
        "res101.mat",
    ]
    assert run("fetch", "xlsa17").exit_code == 0
    assert published.asked == ["/xlsa17.zip"]
    assert " yes " in next(line for line in run("list").output.splitlines() if line.startswith("xlsa17"))
    assert run("verify", "xlsa17").output.startswith("xlsa17: whole, and all parts fit")
    (tmp_path / "root" / "xlsa17" / "data" / "CUB" / "res101.mat").write_bytes(b"")
    assert "res101.mat cannot be read" in run("verify", "xlsa17").stderr


def test_verify_compares_the_hashes_that_are_known(published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CliRunner().invoke(app, ["fetch", "xlsa17"])
    monkeypatch.setitem(xlsa17.MD5, "CUB", "0" * 32)
    result = CliRunner().invoke(app, ["verify", "xlsa17"])
    assert result.exit_code == 1
    assert "att_splits.mat is damaged; expected the file of" in result.stderr


@pytest.mark.parametrize("damage", [lambda b: b[:-100], lambda b: b"<html>", lambda b: b[:200] + b"?" + b[201:]])
def test_a_damaged_archive_is_not_unpacked(published, tmp_path: Path, damage) -> None:
    published.replies["/xlsa17.zip"] = [damage(published.replies["/xlsa17.zip"][0])]
    result = CliRunner().invoke(app, ["fetch", "xlsa17"])
    assert result.exit_code == 1
    assert "came damaged twice" in result.stderr
    assert not list((tmp_path / "root").rglob("*.mat"))


def test_the_known_hashes_are_those_of_the_real_files(real_root: Path) -> None:
    for name, md5 in xlsa17.MD5.items():
        assert hashlib.md5((real_root / "zero-shot" / f"{name}_att_splits.mat").read_bytes()).hexdigest() == md5
