"""USPS digits, as text from *The Elements of Statistical Learning* or in libsvm's encoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tlbook.data.source import DIGITS, File, Source, Store, md5_is

HOME = "https://hastie.su.domains/ElemStatLearn/datasets/"
FILES = {
    "train": File("USPS/zip.train.gz", (HOME + "zip.train.gz",), md5_is("206835541ea704bcfb4b6eea872678bf")),
    "test": File("USPS/zip.test.gz", (HOME + "zip.test.gz",), md5_is("f9350e940232b89f1dc8f8eacac88625")),
}


def read_usps(split: str, store: Store) -> tuple[Tensor, Tensor]:
    """The digits, N×1×16×16, from libsvm's file where there is an intact one, else from the text file.

    Grey in [−1, 1] becomes 0…255, rounded down as torchvision does, so both encodings give the same images.
    """
    from torchvision.datasets import USPS

    _, name, md5 = USPS.split_list[split]
    packed = store.root / "USPS" / name
    if packed.exists() and md5_is(md5)(packed):
        usps = USPS(packed.parent, train=split == "train")
        return torch.from_numpy(usps.data)[:, None], torch.tensor(usps.targets)

    table = np.loadtxt(store.get(FILES[split]), dtype=np.float32)
    grey = ((table[:, 1:] + 1) / 2 * 255).astype(np.uint8)
    return torch.from_numpy(grey).view(-1, 1, 16, 16), torch.from_numpy(table[:, 0]).long()


def usps_present(root: Path) -> bool:
    """Whether both files of one encoding are there."""
    encodings = (("zip.train.gz", "zip.test.gz"), ("usps.bz2", "usps.t.bz2"))
    return any(all((root / "USPS" / name).exists() for name in encoding) for encoding in encodings)


USPS_DIGITS = Source(
    name="usps",
    kind="real",
    shape=(1, 16, 16),
    classes=DIGITS,
    sizes={"train": 7291, "test": 2007},
    licence="free for research",
    home=HOME,
    checksums={
        "train": "8e6428df7109a8e7cd1769770a5cde84c76a8c2bc13b5a5c84591cc76d9b076d",
        "test": "262e0960c1c2c67e3c8a37ec61a3a7cd535a07c6deca14872d021b5728b257c9",
    },
    read=read_usps,
    present=usps_present,
)
