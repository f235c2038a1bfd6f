"""The benchmarks of zero-shot learning in the layout of xlsa17: AwA2, aPY, CUB and SUN with the proposed splits."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from tlbook._files import whole_file
from tlbook.data.domain import Domain
from tlbook.data.root import data_root
from tlbook.data.source import Collection, File, Store, md5_is
from tlbook.errors import TlbookError

__all__ = ["BENCHMARKS", "HOME", "XLSA17", "Benchmark", "Splits", "load_benchmark", "load_splits"]

HOME = "https://datasets.d2.mpi-inf.mpg.de/xian/xlsa17.zip"
BENCHMARKS = {"AWA2": (50, 85), "APY": (32, 64), "CUB": (200, 312), "SUN": (717, 102)}
"""For each benchmark the number of classes and of attributes."""
LOCATIONS = ("trainval_loc", "test_seen_loc", "test_unseen_loc")
FILES = ("att_splits.mat", "res101.mat")
MD5 = {"AWA2": "fd06297344a3dcf78788bcdd2e265831", "APY": "ba2787272fd620b054b5f5546c5f6d2a"}
"""Of the ``att_splits.mat`` whose hash is known."""
ARCHIVE = "xlsa17.zip"
FOLDERS = ("zero-shot/{name}_{file}", "xlsa17/data/{name}/{file}")

Field = Literal["att", "original_att"]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Splits:
    """What ``att_splits.mat`` says: the classes, their signatures, and which image is for what. Counted from 0.

    Attributes:
        name: of the benchmark.
        classes: C names.
        signatures: C×A.
        train: images of the training classes, for choosing settings; empty where the file names neither them nor
            those of the validation classes.
        val: images of the validation classes, none of them among the training classes.
        trainval: images of the seen classes to learn from.
        test_seen: other images of the seen classes.
        test_unseen: images of the unseen classes.
    """

    name: str
    classes: tuple[str, ...]
    signatures: NDArray[np.float64]
    train: Index
    val: Index
    trainval: Index
    test_seen: Index
    test_unseen: Index


@dataclass(frozen=True)
class Benchmark:
    """A benchmark with its features.

    Attributes:
        splits: the classes, signatures and locations.
        images: N features of width 2048 (pool5 of a ResNet-101, not fine-tuned), with labels.
        seen: numbers of the classes in ``trainval``, ascending.
        unseen: numbers of the classes in ``test_unseen``, ascending.
    """

    splits: Splits
    images: Domain
    seen: Index
    unseen: Index

    def part(self, split: Literal["train", "val", "trainval", "test_seen", "test_unseen"]) -> Domain:
        """The images of one split; labels and classes keep their numbers."""
        return self.images.take(torch.from_numpy(getattr(self.splits, split)))


def load_splits(name: str, root: str | os.PathLike[str] | None = None, field: Field = "att") -> Splits:
    """Read ``att_splits.mat``, which needs no features.

    Under the data root the file is ``zero-shot/NAME_att_splits.mat``, or ``xlsa17/data/NAME/att_splits.mat``.

    Args:
        name: one of ``BENCHMARKS``.
        root: folder of the real sets; None means the environment's ``TLBOOK_DATA``, else the user's cache.
        field: ``"att"``, each class's vector of length 1, as the published tables take it; or ``"original_att"``, the
            share of people or images that have the attribute, in the benchmark's own unit.

    Raises:
        TlbookError: for an unknown benchmark or field; for a file that is missing, or is not in this layout.
    """
    if name not in BENCHMARKS:
        raise TlbookError(f"benchmark is {name!r}; expected one of {', '.join(BENCHMARKS)}")
    if field not in ("att", "original_att"):
        raise TlbookError(f"field is {field!r}; expected 'att' or 'original_att'")
    path = _find(name, "att_splits.mat", data_root(root))
    table = _read(path)
    try:
        classes = tuple(str(cell[0]) for cell in table["allclasses_names"].ravel())
        signatures = np.asarray(table[field], dtype=np.float64).T
        trainval, test_seen, test_unseen = (_from_0(table[key]) for key in LOCATIONS)
        train, val = (_from_0(table[key]) if key in table else None for key in ("train_loc", "val_loc"))
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise TlbookError(
            f"{path} cannot be read ({error!r}); expected allclasses_names, {field}, {', '.join(LOCATIONS)}, "
            "locations from 1"
        ) from None
    if signatures.shape != (len(classes), BENCHMARKS[name][1]) or not np.isfinite(signatures).all():
        raise TlbookError(
            f"{path} holds signatures of {signatures.shape} for {len(classes)} classes; expected finite numbers, "
            f"{BENCHMARKS[name][1]} a class"
        )
    groups = (trainval, test_seen, test_unseen)
    if not all(map(len, groups)) or len(np.unique(np.concatenate(groups))) != sum(map(len, groups)):
        raise TlbookError(
            f"{path} has trainval, test_seen and test_unseen of {', '.join(str(len(g)) for g in groups)} images; "
            "expected some in each, and no image in two of them"
        )
    if train is None:  # some copies have one of the two, or neither
        train = trainval[:0] if val is None else np.setdiff1d(trainval, val)
    if val is None:
        val = np.setdiff1d(trainval, train) if len(train) else trainval[:0]
    return Splits(name, classes, signatures, train, val, trainval, test_seen, test_unseen)


def load_benchmark(name: str, root: str | os.PathLike[str] | None = None, field: Field = "att") -> Benchmark:
    """Read ``att_splits.mat`` and, beside it, the features of ``res101.mat``.

    Where the file does not say which of the seen classes are for choosing settings, a third of them is drawn, the same
    ones every time.

    Args:
        name: as :func:`load_splits`.
        root: as :func:`load_splits`.
        field: as :func:`load_splits`.

    Raises:
        TlbookError: as :func:`load_splits`; when the features are missing, not finite, or do not fit the splits; when
            a class is on both sides of the split, so that none would be unseen.
    """
    splits = load_splits(name, root, field)
    path = _find(name, "res101.mat", data_root(root))
    table = _read(path)
    try:
        x = torch.from_numpy(np.ascontiguousarray(np.asarray(table["features"], dtype=np.float32).T))
        y = _from_0(table["labels"])
    except (KeyError, ValueError, TypeError) as error:
        raise TlbookError(f"{path} cannot be read ({error!r}); expected features 2048×N, labels from 1") from None
    last = max(int(part.max()) for part in (splits.trainval, splits.test_seen, splits.test_unseen))
    if x.ndim != 2 or len(x) != len(y) or last >= len(x) or y.max() >= len(splits.classes) or not x.isfinite().all():
        raise TlbookError(
            f"{path} holds features of {tuple(x.shape)} and {len(y)} labels up to {y.max() + 1}; expected finite "
            f"numbers for at least {last + 1} images of {len(splits.classes)} classes, as the splits have them"
        )
    seen, unseen = np.unique(y[splits.trainval]), np.unique(y[splits.test_unseen])
    if np.isin(unseen, seen).any() or not np.isin(y[splits.test_seen], seen).all():
        raise TlbookError(
            f"{path} puts {int(np.isin(unseen, seen).sum())} of {len(unseen)} test classes among the seen ones; "
            "expected unseen classes apart: the two files are not of one release"
        )
    if not len(splits.train):
        held = np.random.RandomState(0).permutation(seen)[: max(1, len(seen) // 3)]
        chosen = np.isin(y[splits.trainval], held)
        splits = replace(splits, train=splits.trainval[~chosen], val=splits.trainval[chosen])
    return Benchmark(splits, Domain(name, x, torch.from_numpy(y), splits.classes), seen, unseen)


def _places(root: Path) -> Iterator[tuple[str, str, Path | None]]:
    """Every benchmark and file, and where it lies, if it does."""
    for name in BENCHMARKS:
        for file in FILES:
            places = (root / folder.format(name=name, file=file) for folder in FOLDERS)
            yield name, file, next((place for place in places if place.exists()), None)


def _present(root: Path) -> bool:
    return all(place for _, _, place in _places(root))


def _whole(archive: Path) -> bool:
    """Whether the archive has every file, each with its own sum right."""
    try:
        with ZipFile(archive) as packed:
            members = {_member(name, file) for name in BENCHMARKS for file in FILES}
            return members <= set(packed.namelist()) and packed.testzip() is None
    except (BadZipFile, OSError, zlib.error):
        return False


def _member(name: str, file: str) -> str:
    return f"xlsa17/data/{name}/{file}"


def _fetch(store: Store) -> None:
    """Take the files that are missing out of the archive, which does not stay."""
    missing = [(name, file) for name, file, place in _places(store.root) if place is None]
    if missing:
        archive = store.get(File(ARCHIVE, (HOME,), _whole))
        with ZipFile(archive) as packed:
            for name, file in missing:
                path = store.root / _member(name, file)
                path.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(_member(name, file)) as source, whole_file(path) as target:
                    shutil.copyfileobj(source, target)
        archive.unlink()


def _verify(store: Store) -> str:
    for name, file, place in _places(store.root):
        if place is None or (file == FILES[0] and name in MD5 and not md5_is(MD5[name])(place)):
            raise TlbookError(
                f"{place or store.root / _member(name, file)} is {'damaged' if place else 'missing'}; expected the "
                f"file of {HOME}: delete it, and `tlbook data fetch xlsa17`"
            )
        if file == FILES[1]:
            load_benchmark(name, store.root)
    return "whole, and all parts fit; of the features no published hash is known"


XLSA17 = Collection(
    name="xlsa17",
    kind="zero-shot",
    classes=sum(classes for classes, _ in BENCHMARKS.values()),
    sizes={},
    licence="research",
    home=HOME,
    reader="tlbook.data.xlsa17.load_benchmark",
    fetch=_fetch,
    verify=_verify,
    present=_present,
)


def _find(name: str, file: str, root: Path) -> Path:
    places = [root / folder.format(name=name, file=file) for folder in FOLDERS]
    for place in places:
        if place.exists():
            return place
    raise TlbookError(
        f"{file} of {name} is missing; expected {places[0]} or {places[1]}: `tlbook data fetch xlsa17`, or unpack "
        f"{HOME} so that the folder xlsa17 lies in the data root"
    )


def _read(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    try:
        table: dict[str, Any] = loadmat(path)
    except Exception as error:  # loadmat raises whatever a damaged file leads it to
        raise TlbookError(f"{path} cannot be read ({error}); expected a MATLAB file: unpack it again") from None
    return table


def _from_0(numbers: Any) -> Index:
    """MATLAB's column of numbers from 1, as numbers from 0."""
    index: Index = np.asarray(numbers).ravel().astype(np.int64) - 1
    if index.size and index.min() < 0:
        raise ValueError(f"the least number is {index.min() + 1}")
    return index
