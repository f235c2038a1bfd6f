"""The handwritten digits that scikit-learn carries, plain and blended with the photographs it carries."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tlbook.data.blend import blend
from tlbook.data.source import DIGITS, Source, Store

SIZES = {"train": 1347, "test": 450}
CUT = 480  # photographs are 640 wide: patches left of the cut for training digits, right of it for test digits


def read_digits(split: str, store: Store) -> tuple[Tensor, Tensor]:
    """The 8×8 digits enlarged to 20×20 in the middle of 28×28, as MNIST places its own, in three equal channels."""
    x, y = _grey(split)
    return x.expand(-1, 3, -1, -1).contiguous(), y


def read_digits_m(split: str, store: Store) -> tuple[Tensor, Tensor]:
    """The same digits blended with patches of two photographs; training and test patches never overlap."""
    from sklearn.datasets import load_sample_images

    region = slice(0, CUT) if split == "train" else slice(CUT, None)
    photographs = [photo[:, region] for photo in load_sample_images().images]
    x, y = _grey(split)
    return blend(x, photographs, seed=("train", "test").index(split)), y


def _grey(split: str) -> tuple[Tensor, Tensor]:
    from PIL import Image
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    rows = np.arange(len(labels))
    train, test = train_test_split(rows, test_size=SIZES["test"], stratify=labels, random_state=0)
    chosen = np.sort(train if split == "train" else test)
    small = (images[chosen].reshape(-1, 8, 8) * (255 / 16)).round().astype(np.uint8)
    large = [np.asarray(Image.fromarray(i).resize((20, 20), Image.Resampling.BILINEAR)) for i in small]
    x = torch.nn.functional.pad(torch.from_numpy(np.stack(large)), (4, 4, 4, 4))
    return x[:, None], torch.from_numpy(labels[chosen]).long()


UCI = Source(
    name="digits",
    kind="embedded",
    shape=(3, 28, 28),
    classes=DIGITS,
    sizes=SIZES,
    licence="CC BY 4.0",
    home="https://archive.ics.uci.edu/dataset/80",
    checksums={},
    read=read_digits,
)
UCI_M = Source(
    name="digits-m",
    kind="embedded",
    shape=(3, 28, 28),
    classes=DIGITS,
    sizes=SIZES,
    licence="CC BY 4.0; photographs CC BY 2.0",
    home="https://archive.ics.uci.edu/dataset/80",
    checksums={},
    read=read_digits_m,
)
