"""Rows on disk: the same as in memory, whole or not at all, one shard at a time."""

import json
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tlbook.data import Domain, checksum, disk
from tlbook.errors import TlbookError

SHARD_BYTES = disk.SHARD_BYTES

CLASSES = ("cat", "dog", "owl")
MAP = np.memmap
TYPES = [torch.uint8, torch.float16, torch.float32, torch.float64, torch.int64]


def zoo(dtype: torch.dtype = torch.uint8) -> Domain:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (61, 3, 4, 5), generator=generator).to(dtype)
    return Domain("zoo", x, torch.randint(3, (61,), generator=generator), CLASSES)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "SHARD_BYTES", 600)


@pytest.mark.parametrize("dtype", TYPES)
def test_what_comes_back_is_what_was_written(tmp_path: Path, dtype: torch.dtype) -> None:
    domain = zoo(dtype)
    stored = domain.to_disk(tmp_path / "zoo")
    assert len(list((tmp_path / "zoo").glob("rows-*.npy"))) > 5
    assert (stored.name, stored.classes, stored.x.shape, stored.x.dtype) == ("zoo", CLASSES, domain.x.shape, dtype)
    assert (stored.x.ndim, stored.x.device, len(stored)) == (4, torch.device("cpu"), 61)
    assert torch.equal(stored.x[:], domain.x)
    assert torch.equal(stored.labels(), domain.labels())
    assert checksum(stored) == checksum(domain) == checksum(stored.in_memory())


def test_an_unlabelled_domain_stays_unlabelled(tmp_path: Path) -> None:
    stored = zoo().unlabelled().to_disk(tmp_path / "zoo")
    assert stored.y is None
    assert checksum(stored) == checksum(zoo().unlabelled())


def test_checksum_in_pieces_is_the_checksum(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = checksum(zoo())
    monkeypatch.setattr("tlbook.data.domain.CHUNK_BYTES", 70)
    assert checksum(zoo()) == checksum(zoo().to_disk(tmp_path / "zoo")) == whole


@pytest.mark.parametrize(
    "index",
    [
        torch.tensor([60, 0, 3, 3, -1, 17]),
        torch.arange(61).flip(0),
        torch.arange(61) % 3 == 0,
        torch.zeros(0, dtype=torch.int64),
        slice(7, 50, 3),
        slice(-5, None),
        slice(0, 0),
    ],
)
def test_rows_are_indexed_as_a_tensor_is(tmp_path: Path, index: torch.Tensor | slice) -> None:
    domain, stored = zoo(), zoo().to_disk(tmp_path / "zoo")
    assert torch.equal(stored.x[index], domain.x[index])
    shuffled = torch.randperm(61)
    assert torch.equal(stored.take(shuffled).x[index], domain.take(shuffled).x[index])


def test_what_is_read_may_be_written_to(tmp_path: Path) -> None:
    stored = zoo().to_disk(tmp_path / "zoo")
    stored.x[:].zero_()
    assert torch.equal(stored.x[:], zoo().x)


@pytest.mark.parametrize(
    "draw",
    [
        lambda d: d.take([3, 1]),
        lambda d: d.subset(["owl"]),
        lambda d: d.per_class(4, seed=1),
        lambda d: d.split(0.7, seed=3)[0],
        lambda d: d.unlabelled().split(0.7, seed=3)[1],
        lambda d: d.split(0.7, seed=3)[0].split(0.5, seed=0)[1],
        lambda d: d.to("cpu"),
        lambda d: replace(d, name="other"),
    ],
)
def test_domains_on_disk_are_cut_without_reading(tmp_path: Path, draw, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = zoo().to_disk(tmp_path / "zoo")
    with monkeypatch.context() as patch:
        patch.setattr(np, "memmap", lambda *_: pytest.fail("read"))
        part = draw(stored)
    assert isinstance(part.x, disk.DiskRows)
    assert checksum(part) == checksum(draw(zoo()))
    assert " on disk" in repr(part)


def test_batches_come_in_order(tmp_path: Path) -> None:
    stored = zoo().to_disk(tmp_path / "zoo")
    for domain in (zoo(), stored):
        assert [len(rows) for rows in domain.batches(25)] == [25, 25, 11]
        assert torch.equal(torch.cat(list(domain.batches(25))), zoo().x)
        with pytest.raises(TlbookError, match=r"^size is 0; expected a whole number"):
            domain.batches(0)


def test_one_shard_at_a_time_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = zoo().to_disk(tmp_path / "zoo")
    maps: list[weakref.ref[np.memmap]] = []

    def watch(*args: Any) -> np.memmap:
        assert all(other() is None for other in maps)
        mapped = MAP(*args)
        maps.append(weakref.ref(mapped))
        return mapped

    monkeypatch.setattr(np, "memmap", watch)
    stored.x[:]
    assert len(maps) > 5


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda d: d.images(channels=1), r"^zoo: images on disk keep their form"),
        (lambda d: d.to("meta"), r"^zoo: rows on disk cannot be moved to meta"),
        (lambda d: d.to("nowhere"), r"^device is 'nowhere' "),
        (lambda d: d.x.flatten(1), r"^rows on disk have no \.flatten; expected a domain in memory"),
        (lambda d: d.x[0.5], r"^rows on disk are indexed with 0\.5; expected a slice"),
        (
            lambda d: d.x[torch.zeros(3, dtype=torch.bool)],
            r"^rows on disk are indexed with torch\.bool",
        ),
        (lambda d: d.take([61]), r"^zoo: index is a list that does not fit"),
    ],
)
def test_what_cannot_be_done_on_disk_is_one_line(tmp_path: Path, act, says: str) -> None:
    stored = zoo().to_disk(tmp_path / "zoo")
    with pytest.raises(TlbookError, match=says + r"[^\n]*$"):
        act(stored)


def refused(folder: Path, says: str, **how: bool) -> None:
    with pytest.raises(TlbookError, match=says + r"[^\n]*$") as caught:
        Domain.from_disk(folder, **how)
    assert str(folder) in str(caught.value)


def test_folders_that_are_no_domain_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none", r"is not there; expected a folder that Domain\.to_disk wrote")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", r"is a file; expected a folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", r"is no domain: it has files but no domain\.json")


def test_half_written_folders_are_refused_with_what_to_do(tmp_path: Path) -> None:
    zoo().to_disk(tmp_path / "zoo")
    (tmp_path / "zoo" / "domain.json").unlink()
    refused(tmp_path / "zoo", r"is half written: [^\n]*delete it, and write it again")
    with pytest.raises(TlbookError, match=r"holds [^\n]* already; expected a new or empty folder: delete it[^\n]*$"):
        zoo().to_disk(tmp_path / "zoo")


def test_an_error_while_writing_leaves_an_empty_folder(tmp_path: Path) -> None:
    def write() -> None:
        with disk.Writer(tmp_path / "zoo") as writer:
            writer.append(zoo().x)
            writer.append(zoo(torch.float32).x)

    with pytest.raises(TlbookError, match="given after uint8"):
        write()
    assert not list((tmp_path / "zoo").iterdir())


def test_types_that_no_file_holds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TlbookError, match=r"^rows of type bfloat16 given; expected one of uint8[^\n]*$"):
        zoo(torch.bfloat16).to_disk(tmp_path / "zoo")


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"version": 99}', '{"version": 1}', '{"version": 1, "dtype": "int8", "row": [1]}']
)
def test_a_broken_list_is_refused(tmp_path: Path, content: str) -> None:
    zoo().to_disk(tmp_path / "zoo")
    (tmp_path / "zoo" / "domain.json").write_text(content)
    refused(tmp_path / "zoo", r"domain\.json cannot be read \(")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "missing": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"0"),
    "another type": lambda path: np.save(path, np.load(path).view("int8" if "rows" in path.name else "float64")),
    "another shape": lambda path: np.save(path, np.load(path)[:-1]),
    "no numpy": lambda path: path.write_bytes(b"<html>"),
}


@pytest.mark.parametrize("file", ["rows-00002.npy", "rows-00006.npy", "labels.npy"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_is_not_as_written_is_named(tmp_path: Path, file: str, damage) -> None:
    zoo().to_disk(tmp_path / "zoo")
    damage(tmp_path / "zoo" / file)
    refused(tmp_path / "zoo", file.replace(".", r"\.") + r" (cannot be read|is not as it was written)")


def test_verify_sees_a_single_bit(tmp_path: Path) -> None:
    zoo().to_disk(tmp_path / "zoo")
    assert len(Domain.from_disk(tmp_path / "zoo", verify=True)) == 61
    flip(tmp_path / "zoo" / "rows-00003.npy")
    assert len(Domain.from_disk(tmp_path / "zoo")) == 61
    refused(tmp_path / "zoo", r"rows-00003\.npy is not as it was written", verify=True)


def test_the_list_has_the_hashes_of_the_files(tmp_path: Path) -> None:
    import hashlib

    zoo().to_disk(tmp_path / "zoo")
    content = json.loads((tmp_path / "zoo" / "domain.json").read_text(encoding="utf-8"))
    for entry in (*content["shards"], content["labels"]):
        assert hashlib.sha256((tmp_path / "zoo" / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(TlbookError, match=r"^cannot write [^\n]*expected a folder[^\n]*$"):
            zoo().to_disk(folder)


def test_in_memory_refuses_what_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = zoo().to_disk(tmp_path / "zoo")
    monkeypatch.setattr("tlbook.data.memory.free_memory", lambda: 100)
    with pytest.raises(TlbookError, match=r"^zoo: 61 examples of 3×4×5 take 3.66 kB; expected at most 100 bytes"):
        stored.in_memory()
    assert zoo().in_memory().x.shape == (61, 3, 4, 5)


def test_a_few_megabytes_are_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "SHARD_BYTES", SHARD_BYTES)
    domain = Domain("two megabytes", torch.zeros(700, 3, 32, 32, dtype=torch.uint8), None, ("a",))
    domain.to_disk(tmp_path / "stored")
    assert [file.name for file in (tmp_path / "stored").glob("rows-*")] == ["rows-00000.npy"]
