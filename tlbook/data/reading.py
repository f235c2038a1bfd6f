"""Domains read example by example: from a folder of images, from data sets of torch and of Hugging Face."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tlbook._checks import check_choice, check_list, check_whole, shown
from tlbook._progress import tqdm, watched
from tlbook.data.arrays import as_rows, named_labels
from tlbook.data.disk import Writer
from tlbook.data.domain import Domain
from tlbook.data.memory import check_fits, readable
from tlbook.errors import TlbookError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["pixels", "read_dataset", "read_folder"]

Folder = str | os.PathLike[str]
NO_IMAGES = ("Thumbs.db", "desktop.ini", "__MACOSX")  # what file managers leave behind; names with a dot count as well


def pixels(image: Image, size: int | None, channels: int | None) -> Tensor:
    """A picture as C×H×W uint8: upright, transparent parts on white, resized and cropped.

    Args:
        image: of Pillow, of any kind with 8 or 16 bits a channel.
        size: the shorter side is brought to it with antialiased bilinear interpolation, and a square cut out of the
            middle. None keeps the image's own size.
        channels: 1 or 3; None keeps grey as 1, and makes 3 of everything else.

    Raises:
        TlbookError: for floating point pixels, whose range nobody knows.

    >>> from PIL import Image
    >>> pixels(Image.new("L", (40, 30), 255), size=16, channels=3).shape
    torch.Size([3, 16, 16])
    """
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits
        image = Image.fromarray((np.asarray(image).clip(0, 65535) // 256).astype(np.uint8))
    if image.mode == "F":
        raise TlbookError("the pixels are floating point; expected 8 or 16 bits a channel")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if channels is None:
        channels = 1 if image.mode in ("1", "L") else 3
    image = image.convert("L" if channels == 1 else "RGB")
    if size is not None:
        scale = size / min(image.size)
        wide, high = (max(size, round(scale * side)) for side in image.size)
        left, top = (wide - size) // 2, (high - size) // 2
        image = image.resize((wide, high), Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))
    return torch.from_numpy(np.array(image)).view(image.height, image.width, channels).permute(2, 0, 1).contiguous()


def read_folder(
    path: Folder,
    size: int,
    channels: int,
    name: str | None,
    classes: Iterable[str] | None,
    disk: Folder | None,
) -> Domain:
    """What :meth:`Domain.from_folder` does."""
    from PIL import Image

    folder = Path(path)
    name = folder.resolve().name if name is None else name
    check_whole("size", size, at_least=1, hint="224 is what most pre-trained networks read")
    check_choice("channels", channels, (1, 3))
    words = None if classes is None else check_list("classes", classes, "the names of folders")
    if words and not all(isinstance(word, str) for word in words):
        raise TlbookError(f"classes is {shown(classes)}; expected the names of folders, which are words")
    files, labels, names = _classes(folder, None if words is None else tuple(words))
    broken = []

    def images() -> Iterator[Tensor]:
        for file in files:
            try:
                with Image.open(file) as image:
                    yield pixels(image, size, channels)
            except Exception:  # a broken file makes Pillow raise almost anything
                broken.append(file.relative_to(folder).as_posix())
                yield torch.zeros(channels, size, size, dtype=torch.uint8)

    def finish() -> tuple[Tensor | None, tuple[str, ...]]:
        if broken:
            first = ", ".join(broken[:3]) + (", …" if len(broken) > 3 else "")
            raise TlbookError(
                f"{folder}: {len(broken)} of {len(files)} files cannot be read as images: {first}; expected images "
                "that Pillow reads: delete them, or move them elsewhere"
            )
        return None if labels is None else torch.tensor(labels), names

    return _collect(name, len(files), images(), finish, disk)


def _classes(folder: Path, classes: tuple[str, ...] | None) -> tuple[list[Path], list[int] | None, tuple[str, ...]]:
    """The files of a folder class/image, their labels, and the classes; labels are None where all lie side by side."""
    from PIL.Image import registered_extensions

    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise TlbookError(f"{folder} {what}; expected a folder with a folder of images for each class: mend the path")
    try:
        there = sorted(entry for entry in folder.iterdir() if not _hidden(entry.name))
        folders = {entry.name: _files(entry) for entry in there if entry.is_dir()}
    except OSError as error:
        raise TlbookError(f"{folder} cannot be read ({error}); expected a folder that you may read") from None
    beside = [entry for entry in there if not entry.is_dir()]
    if not folders and beside and classes is not None:
        return beside, None, classes
    if not folders:
        what = f"{len(beside)} files but no folders" if beside else "nothing"
        raise TlbookError(
            f"{folder} holds {what}; expected a folder of images for each class: for images without labels give "
            "classes=source.classes"
        )
    if images := [entry.name for entry in beside if entry.suffix.lower() in registered_extensions()]:
        raise TlbookError(
            f"{folder} holds {len(images)} images beside the folders of the classes, such as {images[0]}; expected "
            "every image in its class's folder: move them there"
        )
    if empty := [name for name, files in folders.items() if not files]:
        raise TlbookError(
            f"{folder}: {len(empty)} folders have no image: {', '.join(empty[:5])}; expected some in each: delete "
            "these folders, or fill them"
        )
    names = tuple(folders) if classes is None else classes
    if others := [name for name in folders if name not in names]:
        raise TlbookError(
            f"{folder} has folders that are no class: {', '.join(others[:5])}; expected {', '.join(names)[:200]}: "
            "rename them, or add them to classes"
        )
    files = [file for group in folders.values() for file in group]
    return files, [names.index(name) for name, group in folders.items() for _ in group], names


def _files(folder: Path) -> list[Path]:
    """All files below a folder, sorted, hidden ones left out."""

    def fail(error: OSError) -> None:
        raise error

    files = []
    for place, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        folders[:] = [name for name in folders if not _hidden(name)]
        files += [Path(place, name) for name in names if not _hidden(name)]
    return sorted(files)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in NO_IMAGES


def read_dataset(
    name: str,
    dataset: Any,
    size: int | None,
    channels: int | None,
    columns: tuple[str, str | None],
    classes: Iterable[Any] | None,
    disk: Folder | None,
) -> Domain:
    """What :meth:`Domain.from_dataset` does."""
    if isinstance(dataset, Mapping):
        raise TlbookError(
            f"{name}: the data set has the parts {', '.join(map(str, dataset))[:80]}; expected one of them: "
            "dataset['train']"
        )
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")) or isinstance(dataset, str | bytes | type):
        raise TlbookError(
            f"{name}: dataset is a {type(dataset).__name__}; expected one with a length that is indexed by number: of "
            "a DataLoader give loader.dataset, of an iterable one list(dataset)"
        )
    if size is not None:
        check_whole("size", size, at_least=1, hint="224 is what most pre-trained networks read")
    check_choice("channels", channels, (None, 1, 3))
    given = None if classes is None else tuple(check_list("classes", classes, "names such as ('cat', 'dog')"))
    named = getattr(dataset, "column_names", None)
    if named is not None and (missing := [c for c in columns if c is not None and c not in named]):
        raise TlbookError(
            f"{name}: the data set has the columns {', '.join(named)}, not {', '.join(missing)}; expected those of "
            "image and label: give columns=('img', 'label'), with None for no label"
        )
    count = len(dataset)
    if not count:
        raise TlbookError(f"{name}: the data set has 0 examples, expected at least one; check the filter that made it")
    labels: list[Any] = []

    def rows() -> Iterator[Tensor]:
        form = None
        for number in range(count):
            try:
                x, y = _pair(dataset[number], columns)
            except Exception as error:  # whatever the reader's own data set raises
                raise TlbookError(
                    f"{name}: example {number} cannot be read ({type(error).__name__}: {str(error)[:80]!r}); expected "
                    "(input, label), or a dict with the columns: mend it, or leave it out with torch.utils.data.Subset"
                ) from error
            row = _row(f"{name}, example {number}", x, size, channels)
            form = form or (tuple(row.shape), row.dtype)
            if (tuple(row.shape), row.dtype) != form:
                raise TlbookError(
                    f"{name}: example {number} is {tuple(row.shape)} {row.dtype}, the first is {form[0]} {form[1]}; "
                    "expected all alike: give size=224 and channels=3, or give the data set a transform"
                )
            labels.append(y)
            yield row

    def finish() -> tuple[Tensor | None, tuple[str, ...]]:
        names = _class_names(dataset, columns[1]) if given is None else given
        if any(y is not None for y in labels):
            return named_labels(name, labels, names)
        if names is None:
            raise TlbookError(
                f"{name}: the data set has neither labels nor classes; expected one of them: an unlabelled target "
                "takes classes=source.classes"
            )
        return None, names

    return _collect(name, count, rows(), finish, disk)


def _pair(example: Any, columns: tuple[str, str | None]) -> tuple[Any, Any]:
    """Input and label of an example; the label is None where it has none."""
    if isinstance(example, Mapping):
        return example[columns[0]], None if columns[1] is None else example[columns[1]]
    if isinstance(example, tuple | list):
        return example[0], example[1] if len(example) > 1 else None
    return example, None


def _row(name: str, x: Any, size: int | None, channels: int | None) -> Tensor:
    """The input of one example as a tensor."""
    from PIL.Image import Image

    if isinstance(x, Image):
        return pixels(x, size, channels)
    if size is not None or channels is not None:
        raise TlbookError(
            f"{name} is a {type(x).__name__}; expected a picture of Pillow where size or channels are given: leave "
            "them out, and change the whole with .images(size=…, channels=…)"
        )
    return as_rows(name, x[None] if isinstance(x, Tensor | np.ndarray) else [x])[0]


def _class_names(dataset: Any, label: str | None) -> tuple[str, ...] | None:
    """The names that the data set knows its classes by, also below torch's Subset."""
    features = getattr(dataset, "features", None)
    if isinstance(features, Mapping):
        names = getattr(features.get(label), "names", None)
    else:
        while not hasattr(dataset, "classes") and hasattr(dataset, "dataset"):
            dataset = dataset.dataset
        names = getattr(dataset, "classes", None)
    return tuple(map(str, names)) if isinstance(names, list | tuple) else None


def _collect(
    name: str,
    count: int,
    rows: Iterator[Tensor],
    finish: Callable[[], tuple[Tensor | None, tuple[str, ...]]],
    disk: Folder | None,
) -> Domain:
    """Read row after row, into memory or to disk; ``finish`` tells labels and classes once all have been read."""
    first = next(rows)
    form = f"{count:,} examples of {'×'.join(map(str, first.shape))} {str(first.dtype).removeprefix('torch.')}"
    size = count * first.nbytes
    if disk is None:
        check_fits(name, count, first.shape, first.dtype, "give disk='a new folder', and the rows are kept there")
    if watched():
        print(f"{name}: {form}, {readable(size)} {'of memory' if disk is None else f'in {disk}'}")
    x = torch.empty(count if disk is None else 0, *first.shape, dtype=first.dtype)
    with (
        tqdm(total=count, desc=name, unit="example", disable=not watched()) as bar,
        nullcontext() if disk is None else Writer(disk) as writer,
    ):
        for number, row in enumerate(chain([first], rows)):
            if writer is None:
                x[number] = row
            else:
                writer.append(row[None])
            bar.update()
        y, classes = finish()
        domain = Domain(name, x if writer is None else first.expand(count, *first.shape), y, classes)
        if writer is None:
            return domain
        writer.finish(name, domain.y, domain.classes)
        return Domain.from_disk(writer.folder)
