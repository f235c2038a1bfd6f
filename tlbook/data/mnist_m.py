"""MNIST-M made anew by its recipe: MNIST digits blended with photographs of BSDS500.

The patches of the original are unknown, so this is another draw of the same recipe, at MNIST's own size of
28×28 where the original has 32×32, and with all of MNIST's digits where the original lacks about a thousand
of each split. Training digits lie on the 200 training photographs, test digits on the 100 test photographs.
The photographs' bytes are checked and the draw is seeded, so every copy is the same bit for bit, as far as
JPEG decoders agree; ``tlbook data verify mnist-m`` tells whether the one at hand does.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from tlbook.data.blend import Bytes, blend
from tlbook.data.mnist import idx_present, read_idx
from tlbook.data.source import DIGITS, File, Source, Store

# sha256 over the name and the sha256 of each photograph of a split, in order of the names
PHOTOGRAPHS = {
    "train": "d11b47a6ba844165ee2b83967b6ad02642713627e839c1d81ec319b256e4384e",
    "test": "e017f5437f5a9a5328d82efe46157665508456cd1f830120fddbd24ee682fe16",
}
ARCHIVE = "BSDS500/BSR_bsds500.tgz"
URL = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz"


def read_mnist_m(split: str, store: Store) -> tuple[Tensor, Tensor]:
    """Blend the digits of a split with the photographs of the same split."""
    x, y = read_idx("MNIST", split, store)
    return blend(x, photographs(split, store), seed=("train", "test").index(split)), y


def photographs(split: str, store: Store) -> list[Bytes]:
    """The photographs of a split, from the folder ``BSDS500/images`` or else from the archive."""
    from PIL import Image

    folder = store.root / "BSDS500" / "images" / split
    files = {path.name: path.read_bytes() for path in folder.glob("*.jpg")}
    if not _intact(files, split):
        archive = File(ARCHIVE, (URL,), partial(_archive_intact, split))
        files = _members(store.get(archive), split)
    return [np.asarray(Image.open(io.BytesIO(files[name])).convert("RGB")) for name in sorted(files)]


def _members(archive: Path, split: str) -> dict[str, bytes]:
    """The photographs of a split in the archive, by name."""
    files = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            path = Path(member.name)
            if path.parts[-3:-1] == ("images", split) and path.suffix == ".jpg":
                content = tar.extractfile(member)
                files[path.name] = content.read() if content else b""
    return files


def _archive_intact(split: str, archive: Path) -> bool:
    try:
        return _intact(_members(archive, split), split)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError):
        return False


def _intact(files: dict[str, bytes], split: str) -> bool:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return digest.hexdigest() == PHOTOGRAPHS[split]


def mnist_m_present(root: Path) -> bool:
    """Whether the digits and the photographs are there."""
    folders = all((root / "BSDS500" / "images" / split).is_dir() for split in PHOTOGRAPHS)
    return idx_present("MNIST", root) and (folders or (root / ARCHIVE).exists())


MNIST_M = Source(
    name="mnist-m",
    kind="real",
    shape=(3, 28, 28),
    classes=DIGITS,
    sizes={"train": 60_000, "test": 10_000},
    licence="CC BY-SA 3.0, photographs for non-commercial research",
    home="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html",
    checksums={
        "train": "b6dcac98c9b3e8c69fff8c60af66e9254da76b6581f779f4f622caa8e51d3ebb",
        "test": "22f6e1b23cd86ee8455718adcb4d2097ddf0847b2ba0b0d4b37e059e4bcf527d",
    },
    read=read_mnist_m,
    present=mnist_m_present,
)
