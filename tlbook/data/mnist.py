"""MNIST and Fashion-MNIST: torchvision knows the homes and hashes of the files, and parses them."""

from __future__ import annotations

import gzip
import shutil
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor

from tlbook.data.source import DIGITS, File, Source, Store, md5_is

PREFIXES = {"train": "train", "test": "t10k"}


def read_idx(folder: str, split: str, store: Store) -> tuple[Tensor, Tensor]:
    """Images and labels of the torchvision class that is called like its folder, as published.

    The files stay packed under the root, which may be read-only; they are unpacked beside the system's other
    temporary files.
    """
    from torchvision.datasets import mnist

    dataset = getattr(mnist, folder)
    prefix = PREFIXES[split]
    with TemporaryDirectory() as temporary:
        for name, md5 in dataset.resources:
            if name.startswith(prefix):
                urls = tuple(mirror + name for mirror in dataset.mirrors)
                packed = store.get(File(f"{folder}/raw/{name}", urls, md5_is(md5)))
                with gzip.open(packed) as source, Path(temporary, packed.stem).open("wb") as target:
                    shutil.copyfileobj(source, target)
        x = mnist.read_image_file(f"{temporary}/{prefix}-images-idx3-ubyte")
        y = mnist.read_label_file(f"{temporary}/{prefix}-labels-idx1-ubyte")
    return x[:, None], y


def idx_present(folder: str, root: Path) -> bool:
    """Whether the four files are there."""
    raw = root / folder / "raw"
    parts = product(PREFIXES.values(), ("images-idx3", "labels-idx1"))
    return all((raw / f"{prefix}-{kind}-ubyte.gz").exists() for prefix, kind in parts)


MNIST = Source(
    name="mnist",
    kind="real",
    shape=(1, 28, 28),
    classes=DIGITS,
    sizes={"train": 60_000, "test": 10_000},
    licence="CC BY-SA 3.0",
    home="http://yann.lecun.com/exdb/mnist/",
    checksums={
        "train": "66b6cb665c777b3d386e2f04ba608dc0f9caef9016819027de2248ac2366090b",
        "test": "78925c37ef1bc4b494bc25f964ce33e4eb092621c8731c41ef6befa429a14e74",
    },
    read=partial(read_idx, "MNIST"),
    present=partial(idx_present, "MNIST"),
)
FASHION_MNIST = Source(
    name="fashion-mnist",
    kind="real",
    shape=(1, 28, 28),
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    sizes={"train": 60_000, "test": 10_000},
    licence="MIT",
    home="https://github.com/zalandoresearch/fashion-mnist",
    checksums={
        "train": "a83bca8848d795088008379abaf3d0c0a9a78838807db55643e49638e2c13c56",
        "test": "32d9b437b4b0fe2d08c36eed26df72f2aa1f41ec8085b521df7a3fa49e7a5b02",
    },
    read=partial(read_idx, "FashionMNIST"),
    present=partial(idx_present, "FashionMNIST"),
)
