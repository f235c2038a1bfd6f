"""Fetching against a web server on this machine: good, damaged, truncated, refused, absent, and a full disk."""

import errno
import hashlib
import os
import re
import shutil
from pathlib import Path

import pooch
import pytest

from tlbook.data import load
from tlbook.data.source import File, Store, md5_is
from tlbook.errors import TlbookError

GOOD = b"the published content" * 1000
BAD = b"something else"


@pytest.fixture
def file(website) -> File:
    return File("set/file.bin", (f"{website.url}/file.bin",), md5_is(hashlib.md5(GOOD).hexdigest()))


def left(root: Path) -> list[str]:
    """Every file and temporary folder below a root."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() or ".fetch" in path.name)


def refusal(store: Store, file: File) -> str:
    with pytest.raises(TlbookError) as caught:
        store.get(file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_file_is_fetched_once_and_silently(website, file, tmp_path, capfd):
    website.replies["/file.bin"] = [GOOD]
    store = Store(tmp_path, download=True)
    assert store.get(file).read_bytes() == GOOD
    assert store.get(file) == tmp_path / "set" / "file.bin"
    assert website.asked == ["/file.bin"]
    assert left(tmp_path) == ["set/file.bin"]
    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_a_bar_with_the_name(website, file, tmp_path, capsys, monkeypatch):
    website.replies["/file.bin"] = [GOOD]
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    Store(tmp_path, download=True).get(file)
    assert re.search(r"file\.bin: 100%.*21\.0k/21\.0k", capsys.readouterr().err)


def test_a_damaged_download_is_fetched_again(website, file, tmp_path):
    website.replies["/file.bin"] = [BAD, GOOD]
    assert Store(tmp_path, download=True).get(file).read_bytes() == GOOD
    assert len(website.asked) == 2


def test_a_truncated_download_is_fetched_again(website, file, tmp_path):
    website.replies["/file.bin"] = [(GOOD[:5000], len(GOOD)), GOOD]
    assert Store(tmp_path, download=True).get(file).read_bytes() == GOOD


@pytest.mark.parametrize("reply", [BAD, (GOOD[:5000], len(GOOD)), b""])
def test_a_download_damaged_twice_leaves_nothing(website, file, tmp_path, reply):
    website.replies["/file.bin"] = [reply]
    message = refusal(Store(tmp_path, download=True), file)
    assert f"cannot fetch file.bin: {website.url}/file.bin came damaged twice" in message
    assert len(website.asked) == 2
    assert left(tmp_path) == []


def test_no_network_says_where_to_put_the_file_and_what_works_without(website, file, tmp_path):
    website.close()
    message = refusal(Store(tmp_path, download=True), file)
    assert f"{website.url}/file.bin could not be reached" in message
    assert f"save the file by hand as {tmp_path}/set/file.bin" in message
    assert "digits, rendered-digits, digits-m" in message
    assert left(tmp_path) == []


def test_a_mirror_serves_where_the_first_home_does_not(website, file, tmp_path):
    website.replies["/mirror.bin"] = [GOOD]
    mirrored = File(file.path, (*file.urls, f"{website.url}/mirror.bin"), file.intact)
    assert Store(tmp_path, download=True).get(mirrored).read_bytes() == GOOD


def test_an_absent_page_is_named(website, file, tmp_path):
    assert f"404 Client Error: Not Found for url: {file.urls[0]}" in refusal(Store(tmp_path, download=True), file)


def test_without_download_a_missing_file_is_asked_for(website, file, tmp_path):
    message = refusal(Store(tmp_path, download=False), file)
    assert f"{tmp_path}/set/file.bin is missing and download=False" in message
    assert f"save {file.urls[0]} under that name" in message
    assert website.asked == []


def test_a_truncated_file_is_named_without_download_and_replaced_with_it(website, file, tmp_path):
    path = tmp_path / "set" / "file.bin"
    path.parent.mkdir()
    path.write_bytes(GOOD[:100])
    assert f"{path} is damaged and download=False" in refusal(Store(tmp_path, download=False), file)
    website.replies["/file.bin"] = [GOOD]
    assert Store(tmp_path, download=True).get(file).read_bytes() == GOOD


@pytest.fixture
def usps_here(website, tmp_path, monkeypatch) -> Path:
    """A root into which USPS comes from the website, whose files are good when they say GOOD."""
    from tlbook.data import usps

    home = File("USPS/zip.train.gz", (f"{website.url}/zip.train.gz",), md5_is(hashlib.md5(GOOD).hexdigest()))
    monkeypatch.setitem(usps.FILES, "train", home)
    website.replies["/zip.train.gz"] = [GOOD]
    return tmp_path


def test_a_full_disk_is_one_line_and_leaves_what_was_there(usps_here, monkeypatch):
    def full(self, url, output_file, pooch):
        Path(output_file).write_bytes(GOOD[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", full)
    (usps_here / "USPS").mkdir()
    (usps_here / "USPS" / "zip.train.gz").write_bytes(BAD)
    with pytest.raises(TlbookError, match=r"^cannot load usps: .*No space left on device.*; make room, or name .*$"):
        load("usps", root=usps_here)
    assert left(usps_here) == ["USPS/zip.train.gz"]
    assert (usps_here / "USPS" / "zip.train.gz").read_bytes() == BAD


def test_a_root_that_cannot_be_written_is_one_line(usps_here):
    (usps_here / "USPS").write_text("a file where the folder should be")
    with pytest.raises(TlbookError, match=r"^cannot load usps: .*TLBOOK_DATA$"):
        load("usps", root=usps_here)


def test_mnist_comes_from_the_mirrors_that_torchvision_names(website, real_root, tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", [f"{website.url}/nowhere/", f"{website.url}/"])
    for kind in ("images-idx3", "labels-idx1"):
        name = f"t10k-{kind}-ubyte.gz"
        website.replies[f"/{name}"] = [(real_root / "MNIST" / "raw" / name).read_bytes()]
    damaged = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz"
    damaged.parent.mkdir(parents=True)
    shutil.copyfile(real_root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz", damaged)

    with pytest.raises(TlbookError, match=f"{damaged} is damaged and download=False"):
        load("mnist", "test", root=tmp_path, download=False)
    assert len(load("mnist", "test", root=tmp_path)) == 10_000
    assert left(tmp_path) == [f"MNIST/raw/t10k-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
