"""MNIST and Fashion-MNIST: torchvision names the files, their homes and hashes, and parses them."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor

from tlbook._torchvision import declare_missing_operators
from tlbook.data.source import DIGITS, DamagedError, File, Source, Store


def read_mnist(split: str, store: Store) -> tuple[Tensor, Tensor]:
    """The digits as published, N×1×28×28."""
    return _read("MNIST", split, store)


def read_fashion_mnist(split: str, store: Store) -> tuple[Tensor, Tensor]:
    """The garments as published, N×1×28×28."""
    return _read("FashionMNIST", split, store)


def _read(folder: str, split: str, store: Store) -> tuple[Tensor, Tensor]:
    declare_missing_operators()
    from torchvision.datasets import mnist

    dataset = getattr(mnist, folder)
    prefix = "train" if split == "train" else "t10k"
    with TemporaryDirectory() as temporary:
        for name, md5 in dataset.resources:
            if name.startswith(prefix):
                urls = tuple(mirror + name for mirror in dataset.mirrors)
                packed = store.get(File(f"{folder}/raw/{name}", urls, f"md5:{md5}"))
                try:
                    with gzip.open(packed) as source, open(Path(temporary, packed.stem), "wb") as target:
                        shutil.copyfileobj(source, target)
                except (EOFError, gzip.BadGzipFile) as error:
                    raise DamagedError(f"{packed} is truncated or not gzip") from error
        x = mnist.read_image_file(f"{temporary}/{prefix}-images-idx3-ubyte")
        y = mnist.read_label_file(f"{temporary}/{prefix}-labels-idx1-ubyte")
    return x[:, None], y


def _source(name: str, folder: str, classes: tuple[str, ...], licence: str, home: str) -> Source:
    return Source(
        name=name,
        kind="real",
        shape=(1, 28, 28),
        classes=classes,
        sizes={"train": 60_000, "test": 10_000},
        licence=licence,
        home=home,
        checksums={},
        read=read_mnist if folder == "MNIST" else read_fashion_mnist,
    )


MNIST = _source("mnist", "MNIST", DIGITS, "CC BY-SA 3.0", "http://yann.lecun.com/exdb/mnist/")
FASHION_MNIST = _source(
    "fashion-mnist",
    "FashionMNIST",
    ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    "MIT",
    "https://github.com/zalandoresearch/fashion-mnist",
)
