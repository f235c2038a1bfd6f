"""Office-Caltech10: ten classes of things in four kinds of pictures, as SURF histograms of 800 visual words."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tlbook.data.source import Source, Store
from tlbook.errors import TlbookError

HOME = "https://github.com/jindongwang/transferlearning/blob/master/data/dataset.md"
FOLDER = "office-caltech10/surf"
CLASSES = (
    "backpack",
    "bike",
    "calculator",
    "headphones",
    "keyboard",
    "laptop",
    "monitor",
    "mouse",
    "mug",
    "projector",
)


def read_surf(file: str, split: str, store: Store) -> tuple[Tensor, Tensor]:
    """Counts of visual words, N×800 uint8, from a MATLAB file whose key is ``fts`` or ``feas``, by the copy.

    Raises:
        TlbookError: if the file is missing, since it has no public home of its own, or is not such a table.
    """
    from scipy.io import loadmat

    path = store.root / FOLDER / file
    if not path.exists():
        raise TlbookError(
            f"{path} is missing and no public server has it alone; expected {file} of Office-Caltech10 (SURF, by the "
            f"authors of GFK): save it there, {HOME} lists mirrors"
        )
    try:
        table = loadmat(path)
        x = np.asarray(table["fts"] if "fts" in table else table["feas"], dtype=np.float64)
        y = np.asarray(table["labels"], dtype=np.int64).ravel() - 1
        with np.errstate(invalid="ignore"):  # NaN is not equal to what it becomes
            counts = x.astype(np.uint8)
        fits = (counts == x).all() and x.shape == (len(y), 800) and 0 <= y.min() <= y.max() < len(CLASSES)
    except Exception as error:  # loadmat raises whatever a damaged file leads it to
        raise TlbookError(
            f"{path} cannot be read ({error}); expected a MATLAB file with fts or feas, and labels"
        ) from None
    if not fits:
        raise TlbookError(f"{path} holds {x.shape} numbers for {y.shape} labels; expected N×800 counts, labels 1 … 10")
    return torch.from_numpy(counts), torch.from_numpy(y)


def surf_present(file: str, root: Path) -> bool:
    """Whether the file is there."""
    return (root / FOLDER / file).exists()


def _source(name: str, file: str, size: int, checksum: str) -> Source:
    return Source(
        name=f"office-caltech-{name}",
        kind="real",
        shape=(800,),
        classes=CLASSES,
        sizes={"train": size},
        licence="research",
        home=HOME,
        checksums={"train": checksum},
        read=partial(read_surf, file),
        present=partial(surf_present, file),
    )


OFFICE_CALTECH = (
    _source("amazon", "amazon_SURF_L10.mat", 958, "4170cd7b39609dc8b16e440b167a8e23e1d0313df190ce75b72266a466b0941c"),
    _source(
        "caltech", "Caltech10_SURF_L10.mat", 1123, "6d47e6c0a421b36a902ee401b380c80c466b13af0beb327d80eb68b61ab09f19"
    ),
    _source("webcam", "webcam_SURF_L10.mat", 295, "f7a7f0ac6789c850eec68992e821b34e93a91ec3e0bdb97d1c1bfd9ed772a6ac"),
    _source("dslr", "dslr_SURF_L10.mat", 157, "f5720209e929d7472e4835b325c129e22a085c208fde62df49bd987cd8391636"),
)
