"""Folders of images and data sets of others: what is read, in which form, and how each fault is told."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tlbook.data import Domain, checksum
from tlbook.data.reading import pixels
from tlbook.errors import TlbookError


def picture(size: tuple[int, int] = (40, 30), mode: str = "RGB", seed: int = 0) -> Image.Image:
    noise = np.random.RandomState(seed).randint(256, size=(5, 5, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).convert(mode)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two cats and a dog; the dog's folder is made first."""
    root = tmp_path / "photos"
    for word, file in (("dog", "b.png"), ("cat", "z.png"), ("cat", "a.jpg")):
        (root / word).mkdir(parents=True, exist_ok=True)
        picture(seed=len(file) + ord(file[0])).save(root / word / file)
    return root


def test_a_folder_for_each_class(photos: Path) -> None:
    domain = Domain.from_folder(photos, size=16)
    assert repr(domain) == "Domain('photos': 3 examples of 3×16×16 uint8, 2 classes: cat, dog)"
    assert domain.labels().tolist() == [0, 0, 1]
    for row, file in zip(domain.x, ("cat/a.jpg", "cat/z.png", "dog/b.png"), strict=True):
        assert torch.equal(row, pixels(Image.open(photos / file), 16, 3))


def test_the_rule_is_torchvisions_resize_and_centre_crop() -> None:
    from torchvision.transforms import v2

    rule = v2.Compose([v2.Resize(24), v2.CenterCrop(24), v2.PILToTensor()])
    for size in ((40, 30), (30, 40), (24, 24), (24, 90), (10, 10), (11, 24)):
        assert torch.equal(pixels(picture(size), 24, 3), rule(picture(size)))


def save(photos: Path, image: Image.Image, file: str, **how: Any) -> torch.Tensor:
    """What is read of the picture when it lies among the cats."""
    for other in (photos / "cat").iterdir():
        other.unlink()
    image.save(photos / "cat" / file, **how)
    return Domain.from_folder(photos, size=30).x[0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I"])
@pytest.mark.parametrize("channels", [3, 1, None])
def test_every_kind_of_picture_shows_the_same(mode: str, channels: int | None) -> None:
    image = picture(mode="L")
    if mode in ("I;16", "I"):
        image = Image.fromarray(np.asarray(image).astype(np.uint16 if mode == "I;16" else np.int32) * 257)
    elif mode == "1":
        image = image.point(lambda value: 255 * (value > 127)).convert("1")
    else:
        image = image.convert("P" if mode in ("P", "PA") else "RGB").convert(mode)
    assert image.mode == mode
    x = pixels(image, 30, channels)
    assert x.dtype == torch.uint8
    assert x.shape == (channels or (1 if mode in ("1", "L", "I;16", "I") else 3), 30, 30)
    plain = pixels(picture(mode="L"), 30, 1).float()
    plain = 255 * (plain > 127) if mode == "1" else plain
    assert (x.float() - plain).abs().mean() < 4


def test_sixteen_bits_are_cut_to_their_upper_eight() -> None:
    values = np.array([[0, 255, 256, 511], [32767, 32768, 65279, 65535]], np.uint16)
    x = pixels(Image.fromarray(values), None, 1)
    assert x.tolist() == [[[0, 0, 1, 1], [127, 128, 254, 255]]]


def test_a_picture_may_be_one_pixel(photos: Path) -> None:
    assert Domain.from_folder(photos, size=1).x.shape == (3, 3, 1, 1)
    assert Domain.from_dataset("mine", Pictures(), size=1).x.shape == (3, 3, 1, 1)


def test_folders_that_are_linked_are_read(photos: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "more").mkdir(parents=True)
    picture(seed=7).save(elsewhere / "more" / "g.png")
    before = Domain.from_folder(photos, size=16)
    (photos / "cat" / "linked").symlink_to(elsewhere / "more", target_is_directory=True)
    (photos / "owl").symlink_to(elsewhere, target_is_directory=True)
    domain = Domain.from_folder(photos, size=16)
    assert domain.classes == ("cat", "dog", "owl")
    assert len(domain) == len(before) + 2
    assert torch.equal(domain.x[-1], pixels(picture(seed=7), 16, 3))


def test_a_turned_picture_stands_upright(photos: Path) -> None:
    image = picture((40, 30))
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its left side: turn it a quarter clockwise
    turned = save(photos, image, "turned.png", exif=exif)
    assert torch.equal(turned, pixels(image, 30, 3).rot90(-1, dims=(1, 2)))
    assert not torch.equal(turned, pixels(image, 30, 3))


def test_what_is_transparent_is_white(photos: Path) -> None:
    image = picture(mode="RGBA")
    image.putalpha(0)
    assert save(photos, image, "clear.png").unique().tolist() == [255]
    palette = picture(mode="P")
    palette.info["transparency"] = 0
    assert save(photos, palette, "palette.png", transparency=0).float().mean() > 0


@pytest.mark.parametrize("file", ["a.bmp", "a.webp", "a.gif", "a.tif", "a.ppm", "A.JPG", "ünï.png", "no suffix"])
def test_formats_and_names(photos: Path, file: str) -> None:
    format = "PNG" if file == "no suffix" else None
    assert save(photos, picture(), file, format=format).shape == (3, 30, 30)


def test_hidden_files_are_left_out_and_folders_below_are_read(photos: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (photos / "cat" / name).write_text("no image")
        (photos / name).write_text("no image")
    for name in (".git", "__MACOSX"):
        (photos / name).mkdir()
        (photos / "cat" / name).mkdir()
        (photos / "cat" / name / "a.txt").write_text("no image")
    (photos / "README.txt").write_text("no image, and in no class")
    (photos / "cat" / "below").mkdir()
    picture().save(photos / "cat" / "below" / "c.png")
    domain = Domain.from_folder(photos, size=8)
    assert domain.labels().tolist() == [0, 0, 0, 1]


def test_classes_may_be_given(photos: Path) -> None:
    domain = Domain.from_folder(photos, size=8, classes=("dog", "owl", "cat"), name="mine", channels=1)
    assert domain.classes == ("dog", "owl", "cat")
    assert domain.labels().tolist() == [2, 2, 0]
    assert domain.name == "mine"
    assert domain.x.shape == (3, 1, 8, 8)


def test_images_side_by_side_are_unlabelled(photos: Path) -> None:
    domain = Domain.from_folder(photos / "cat", size=8, classes=("cat", "dog"))
    assert domain.y is None
    assert len(domain) == 2


def breaks(photos: Path) -> None:
    (photos / "dog" / "cut.jpg").write_bytes((photos / "cat" / "a.jpg").read_bytes()[:300])
    (photos / "cat" / "page.jpg").write_text("<html>")
    for number in range(4):
        (photos / "cat" / f"empty{number}.png").write_bytes(b"")
    Image.fromarray(np.zeros((4, 4), np.float32)).save(photos / "dog" / "float.tif")


FAULTS: dict[str, tuple[Callable[[Path], object], dict[str, Any], str]] = {
    "broken": (breaks, {}, r"7 of 10 files cannot be read as images: cat/empty0\.png, cat/empty1\.png, cat/empty2\.pn"),
    "empty class": (lambda p: (p / "owl").mkdir(), {}, r"1 folders have no image: owl; expected some in each"),
    "image beside": (lambda p: picture().save(p / "x.jpg"), {}, r"holds 1 images beside the folders of the classes"),
    "other class": (lambda p: None, {"classes": ("cat", "cow")}, r"folders that are no class: dog; expected cat, cow"),
    "size 0": (lambda p: None, {"size": 0}, r"^size is 0; expected a whole number, at least 1"),
    "size word": (lambda p: None, {"size": "big"}, r"^size is 'big'; expected a whole number"),
    "channels": (lambda p: None, {"channels": 4}, r"^channels is 4; expected 1 or 3"),
    "name": (lambda p: None, {"name": ""}, r"^name is ''; expected a word or two"),
    "classes twice": (lambda p: None, {"classes": ("cat", "dog", "cat")}, r"all different"),
}


@pytest.mark.parametrize("disk", [None, "shards"])
@pytest.mark.parametrize(("spoil", "how", "says"), FAULTS.values(), ids=FAULTS)
def test_faults_of_a_folder_are_one_line(
    photos: Path, tmp_path: Path, disk: Any, spoil: Any, how: Any, says: str
) -> None:
    spoil(photos)
    where = tmp_path / disk if disk else None
    with pytest.raises(TlbookError, match=says) as caught:
        Domain.from_folder(photos, disk=where, **{"size": 8} | how)
    assert "\n" not in str(caught.value)
    assert not disk or not where.exists() or not list(where.iterdir())


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("none", r"is not there; expected a folder with a folder of images for each class"),
        ("photos/cat/a.jpg", r"is a file; expected a folder"),
        ("photos/cat", r"holds 2 files but no folders; [^\n]*for images without labels give classes=source\.classes"),
        ("empty", r"holds nothing; expected a folder of images for each class"),
    ],
)
def test_what_is_no_folder_of_classes_is_one_line(photos: Path, tmp_path: Path, path: str, says: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TlbookError, match=says + r"[^\n]*$") as caught:
        Domain.from_folder(tmp_path / path)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_one_line(photos: Path) -> None:
    (photos / "dog").chmod(0)
    with pytest.raises(TlbookError, match=r"cannot be read \([^\n]*expected a folder that you may read$"):
        Domain.from_folder(photos)


def test_what_does_not_fit_is_refused_before_reading(photos: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tlbook.data.memory.free_memory", lambda: 500)
    says = r"^photos: 3 examples of 3×16×16 take 2\.3 kB; expected at most 500 bytes, which are free: give disk="
    with pytest.raises(TlbookError, match=says):
        Domain.from_folder(photos, size=16)
    with pytest.raises(TlbookError, match=says.replace("photos", "mine")):
        Domain.from_dataset("mine", Pictures(), size=16)
    stored = Domain.from_folder(photos, size=16, disk=tmp_path / "shards")
    monkeypatch.undo()
    assert repr(stored) == "Domain('photos': 3 examples of 3×16×16 uint8 on disk, 2 classes: cat, dog)"
    assert checksum(stored) == checksum(Domain.from_folder(photos, size=16))
    assert checksum(Domain.from_disk(tmp_path / "shards")) == checksum(stored)


def test_who_watches_is_told_the_memory_first(photos: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    Domain.from_folder(photos, size=16)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("tlbook.data.reading.watched", lambda: True)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    Domain.from_folder(photos, size=16)
    shown, bar = capsys.readouterr()
    assert shown == "photos: 3 examples of 3×16×16 uint8, 2.3 kB of memory\n"
    assert "photos: 100%" in bar
    Domain.from_folder(photos, size=16, disk=tmp_path / "shards")
    assert capsys.readouterr().out == f"photos: 3 examples of 3×16×16 uint8, 2.3 kB in {tmp_path / 'shards'}\n"


class Pictures:
    """A data set of torchvision's form: pictures and numbers, and the classes' names."""

    classes = ("cat", "dog")

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        if index >= len(self):
            raise IndexError(index)
        return picture(seed=index), index % 2


class Names:
    def __init__(self, names: list[str]) -> None:
        self.names = names


class HuggingFace:
    """What a part of a data set of Hugging Face shows of itself."""

    def __init__(self, image: str = "image", label: str = "label") -> None:
        self.column_names = [image, label, "source"]
        self.features = {image: object(), label: Names(["dog", "cat"]), "source": object()}

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> dict[str, Any]:
        return dict(zip(self.column_names, (picture(seed=index), index % 2, "web"), strict=True))


SETS: dict[str, tuple[Any, dict[str, Any], tuple[str, ...]]] = {
    "torchvision": (Pictures(), {"size": 16}, ("cat", "dog")),
    "torch's subset": (torch.utils.data.Subset(Pictures(), [0, 1, 2]), {"size": 16}, ("cat", "dog")),
    "subset of a subset": (
        torch.utils.data.Subset(torch.utils.data.Subset(Pictures(), [0, 1, 2]), [0, 1, 2]),
        {"size": 16},
        ("cat", "dog"),
    ),
    "hugging face": (HuggingFace(), {"size": 16}, ("dog", "cat")),
    "other columns": (HuggingFace("img", "fine"), {"size": 16, "columns": ("img", "fine")}, ("dog", "cat")),
    "list": ([(picture(seed=n), n % 2) for n in range(3)], {"size": 16}, ("0", "1")),
    "words": ([(picture(seed=n), ("owl", "cow")[n % 2]) for n in range(3)], {"size": 16, "classes": ["owl", "cow"]},
              ("owl", "cow")),
    "tensors": ([(pixels(picture(seed=n), 16, 3), torch.tensor(n % 2)) for n in range(3)], {}, ("0", "1")),
    "arrays": ([(pixels(picture(seed=n), 16, 3).numpy(), np.int32(n % 2)) for n in range(3)], {}, ("0", "1")),
}  # fmt: skip


@pytest.mark.parametrize("disk", [None, "shards"])
@pytest.mark.parametrize(("dataset", "how", "classes"), SETS.values(), ids=SETS)
def test_data_sets_of_any_kind(tmp_path: Path, disk: Any, dataset: Any, how: Any, classes: Any) -> None:
    domain = Domain.from_dataset("mine", dataset, disk=tmp_path / disk if disk else None, **how)
    assert torch.equal(domain.x[:], torch.stack([pixels(picture(seed=n), 16, 3) for n in range(3)]))
    assert domain.labels().tolist() == [0, 1, 0]
    assert (domain.name, domain.classes) == ("mine", classes)


def test_torchvisions_own_data_sets(photos: Path) -> None:
    from torchvision.datasets import FakeData, ImageFolder
    from torchvision.transforms import v2

    assert checksum(Domain.from_dataset("a", ImageFolder(photos), size=16)) == checksum(
        Domain.from_folder(photos, size=16)
    )
    assert Domain.from_dataset("a", ImageFolder(photos), size=16).classes == ("cat", "dog")
    fake = FakeData(5, (3, 8, 8), 4, transform=v2.Compose([v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)]))
    assert Domain.from_dataset("fake", fake, classes=["a", "b", "c", "d"]).x.dtype == torch.float32


def test_inputs_alone_are_an_unlabelled_domain() -> None:
    for dataset in ([picture(), picture()], [(picture(),), (picture(),)]):
        domain = Domain.from_dataset("mine", dataset, classes=("cat", "dog"))
        assert domain.y is None
        assert domain.x.shape == (2, 3, 30, 40)
    assert Domain.from_dataset("mine", HuggingFace(), columns=("image", None), classes=("a", "b")).y is None


def test_grey_pictures_keep_their_channel_unless_asked() -> None:
    assert Domain.from_dataset("mine", [(picture(mode="L"), 0)]).x.shape == (1, 1, 30, 40)
    assert Domain.from_dataset("mine", [(picture(mode="L"), 0)], channels=3).x.shape == (1, 3, 30, 40)


class Failing(Pictures):
    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        if index == 2:
            raise OSError("disk\non fire")
        return super().__getitem__(index)


class Endless:
    def __iter__(self) -> Any:
        return iter([])


ROW = torch.zeros(3)
BAD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "loader": (torch.utils.data.DataLoader([1, 2]), {}, r"dataset is a DataLoader; [^\n]*give loader\.dataset"),
    "iterable": (Endless(), {}, r"dataset is a Endless; expected one with a length"),
    "parts": ({"train": HuggingFace()}, {}, r"the data set has the parts train; expected one of them"),
    "a path": ("photos", {}, r"dataset is a str; expected"),
    "none": (None, {}, r"dataset is a NoneType; expected"),
    "a domain": (Domain("toy", ROW[None], None, ("a",)), {}, r"dataset is a Domain; expected"),
    "empty": ([], {}, r"the data set has 0 examples, expected at least one"),
    "columns": (HuggingFace("img"), {}, r"has the columns img, label, source, not image; [^\n]*columns=\('img', "),
    "failing": (Failing(), {}, r"example 2 cannot be read \(OSError: 'disk\\non fire'\)"),
    "sizes": ([(picture(), 0), (picture((30, 30)), 0)], {}, r"example 1 is \(3, 30, 30\) [^\n]*first is \(3, 30, 40\)"),
    "types": ([(ROW, 0), (ROW.double(), 0)], {}, r"example 1 is \(3,\) torch\.float64, the first is \(3,\) torc"),
    "nan": ([(ROW, 0), (ROW / 0, 0)], {}, r"example 1: row 0 of x holds NaN or infinity"),
    "hwc": ([(np.zeros((9, 8, 3)), 0)], {}, r"example 0: x has shape \(1, 9, 8, 3\), which looks like images N×H×W×C"),
    "words": ([("a film", 0)], {}, r"example 0: x is a list of type <U6; expected numbers"),
    "nothing": ([(None, 0)], {}, r"example 0: x is a list of type object; expected numbers"),
    "size of a tensor": ([(ROW, 0)], {"size": 8}, r"example 0 is a Tensor; expected a picture of Pillow"),
    "label": ([(ROW, 0), (ROW, None)], {}, r"the label of row 1 is 'None'"),
    "boxes": ([(ROW, {"boxes": []})], {}, r"the label of row 0 is "),
    "labels": ([(ROW, 7)], {"classes": ("a", "b")}, r"labels run from 7 to 7, expected 0…1"),
    "unknown": ([(ROW, "c")], {"classes": ("a", "b")}, r"1 labels such as 'c' are not among the classes a, b"),
    "neither": ([ROW], {}, r"neither labels nor classes; expected one of them"),
    "a number": ([(3.0, 0)], {}, r"x is shape \(1,\), expected a tensor N×"),
    "size": (Pictures(), {"size": 0.5}, r"^size is 0\.5; expected a whole number"),
    "channels": (Pictures(), {"channels": 2}, r"^channels is 2; expected None, 1 or 3"),
}  # fmt: skip


@pytest.mark.parametrize("disk", [None, "shards"])
@pytest.mark.parametrize(("dataset", "how", "says"), BAD.values(), ids=BAD)
def test_faults_of_a_data_set_are_one_line(tmp_path: Path, disk: Any, dataset: Any, how: Any, says: str) -> None:
    where = tmp_path / disk if disk else None
    with pytest.raises(TlbookError, match=says) as caught:
        Domain.from_dataset("mine", dataset, disk=where, **how)
    assert "\n" not in str(caught.value)
    assert not disk or not where.exists() or not list(where.iterdir())
