"""MNIST-M made anew by its recipe: MNIST digits blended with photographs of BSDS500."""

from __future__ import annotations

import numpy as np
from PIL import Image
from torch import Tensor

from tlbook.data.blend import blend
from tlbook.data.mnist import read_mnist
from tlbook.data.source import DIGITS, Source, Store


def read_mnist_m(split: str, store: Store) -> tuple[Tensor, Tensor]:
    folder = store.root / "BSDS500" / "images" / split
    photographs = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.jpg"))]
    x, y = read_mnist(split, store)
    return blend(x, photographs, seed=("train", "test").index(split)), y


MNIST_M = Source(
    name="mnist-m",
    kind="real",
    shape=(3, 28, 28),
    classes=DIGITS,
    sizes={"train": 60_000, "test": 10_000},
    licence="research, non-commercial (photographs); CC BY-SA 3.0 (digits)",
    home="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/",
    checksums={},
    read=read_mnist_m,
)
