"""The handwritten digits that scikit-learn carries, plain and blended with the photographs it carries."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tlbook.data.blend import blend
from tlbook.data.source import DIGITS, Source, Store

SIZES = {"train": 1347, "test": 450}
CUT = 480  # the photographs are 640 wide: training patches lie left of the cut, test patches right of it


def read_digits(split: str, store: Store) -> tuple[Tensor, Tensor]:
    """The 8×8 digits enlarged to 20×20 in the middle of 28×28, as MNIST has them, in three equal channels."""
    x, y = _grey(split)
    return x.repeat(1, 3, 1, 1), y


def read_digits_m(split: str, store: Store) -> tuple[Tensor, Tensor]:
    """The same digits blended with patches of two photographs; training and test patches share no pixel."""
    from sklearn.datasets import load_sample_images

    region = slice(0, CUT) if split == "train" else slice(CUT, None)
    photographs = [photo[:, region] for photo in load_sample_images().images]
    x, y = _grey(split)
    return blend(x, photographs, seed=("train", "test").index(split)), y


def _grey(split: str) -> tuple[Tensor, Tensor]:
    """The digits of one split, N×1×28×28, and their labels."""
    from PIL import Image
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    ink, labels = load_digits(return_X_y=True)  # ink from 0 to 16
    rows = np.arange(len(labels))
    train, test = train_test_split(rows, test_size=SIZES["test"], stratify=labels, random_state=0)
    chosen = np.sort(train if split == "train" else test)
    small = (ink[chosen].reshape(-1, 8, 8) * (255 / 16)).round().astype(np.uint8)
    large = [np.asarray(Image.fromarray(image).resize((20, 20), Image.Resampling.BILINEAR)) for image in small]
    x = torch.nn.functional.pad(torch.from_numpy(np.stack(large)), (4, 4, 4, 4))
    return x[:, None], torch.from_numpy(labels[chosen]).long()


HANDWRITTEN = Source(
    name="digits",
    kind="embedded",
    shape=(3, 28, 28),
    classes=DIGITS,
    sizes=SIZES,
    licence="CC BY 4.0",
    home="https://archive.ics.uci.edu/dataset/80",
    checksums={
        "train": "c03e65baf9d4ab6e68c268a9c93b2c4c60ae3cb06901eb29ce56dad8c2d98cde",
        "test": "31598eec149065ea975a50631baf58dea52e6d6e847472bdef6b8ac5d6ecb020",
    },
    read=read_digits,
    present=lambda root: True,
)
BLENDED = Source(
    name="digits-m",
    kind="embedded",
    shape=(3, 28, 28),
    classes=DIGITS,
    sizes=SIZES,
    licence="CC BY 4.0, photographs CC BY 2.0",
    home="https://scikit-learn.org/stable/datasets/loading_other_datasets.html",
    checksums={
        "train": "0bf0a8b1692a760f38958b0a626367d5fccc8ec2de7ac437f08871e7aaf7ec7d",
        "test": "d4365e5ed0be3443269bc6ca0832f86729442c647ccf5d6a18ca6a79cbe1132f",
    },
    read=read_digits_m,
    present=lambda root: True,
)
