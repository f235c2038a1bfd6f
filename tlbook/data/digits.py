"""The handwritten digits that scikit-learn carries, plain and blended with photographs.

The photographs of ``digits-m`` are the three that its dependencies carry: ``china.jpg`` and ``flower.jpg`` from
scikit-learn, a portrait of Grace Hopper from matplotlib. Each is cut into squares as a chequerboard is. Training
patches come from the white ones and test patches from the black ones: no pixel is in both, and both see the same
scenes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tlbook.data.blend import Bytes, blend
from tlbook.data.source import DIGITS, Source, Store
from tlbook.errors import TlbookError

SIZES = {"train": 1347, "test": 450}
SQUARE = 40  # side of a square of the chequerboard, in pixels; a patch of 28×28 has 13×13 places in it


def read_digits(split: str, store: Store) -> tuple[Tensor, Tensor]:
    """The 8×8 digits enlarged to 20×20 in the middle of 28×28, as MNIST has them, in three equal channels."""
    x, y = _grey(split)
    return x.repeat(1, 3, 1, 1), y


def read_digits_m(split: str, store: Store) -> tuple[Tensor, Tensor]:
    """The same digits blended with patches of three photographs; training and test patches share no pixel."""
    x, y = _grey(split)
    squares = [square for photo in photographs() for square in chequerboard(photo, split)]
    return blend(x, squares, seed=("train", "test").index(split)), y


def photographs() -> list[Bytes]:
    """The photographs, rows×columns×3."""
    from matplotlib.cbook import get_sample_data
    from PIL import Image
    from sklearn.datasets import load_sample_images

    path = get_sample_data("grace_hopper.jpg", asfileobj=False)
    try:
        with Image.open(path) as portrait:
            return [*load_sample_images().images, np.asarray(portrait)]
    except FileNotFoundError:
        raise TlbookError(
            f"{path} is missing; expected the sample data that matplotlib's wheels carry: "
            "install matplotlib with pip, or mpl_sample_data with conda"
        ) from None


def chequerboard(photo: Bytes, split: str) -> list[Bytes]:
    """The squares of one split; what is left over at the right and at the bottom belongs to none.

    >>> board = np.arange(80 * 130).reshape(80, 130)
    >>> [int(square[0, 0]) for square in chequerboard(board, "train")]
    [0, 80, 5240]
    """
    rows, columns = (range(size // SQUARE) for size in photo.shape[:2])
    return [
        photo[row * SQUARE : (row + 1) * SQUARE, column * SQUARE : (column + 1) * SQUARE]
        for row in rows
        for column in columns
        if (row + column) % 2 == ("train", "test").index(split)
    ]


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
    licence="CC BY 4.0, photographs CC BY 2.0 and public domain",
    home="https://scikit-learn.org/stable/datasets/loading_other_datasets.html",
    checksums={
        "train": "94bc7d76a56841c3bc8a699bbfd8a49d98f5185ad2ab07f787d9c0e300dbb381",
        "test": "8533e561066577925e60103faf9c7535d7cc23a91ad40830530ebc97ecbcab53",
    },
    read=read_digits_m,
    present=lambda root: True,
)
