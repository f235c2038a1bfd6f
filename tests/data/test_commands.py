"""``tlbook data list | fetch | verify``."""

import dataclasses
import hashlib

import pytest
from typer.testing import CliRunner

from tlbook.data.catalogue import COLLECTIONS, SOURCES
from tlbook.data.commands import app
from tlbook.data.source import File, collection_of_files, md5_is
from tlbook.data.text import SENTENCES, WIKITEXT


@pytest.fixture
def tlbook_data(tmp_path, monkeypatch):
    """Run a command with an empty folder as the data root."""
    monkeypatch.setenv("TLBOOK_DATA", str(tmp_path))
    return lambda *words: CliRunner().invoke(app, words)


def test_list_shows_every_set_and_what_is_here(tlbook_data, tmp_path):
    for folder, parts in (("MNIST", 4), ("FashionMNIST", 3)):
        raw = tmp_path / folder / "raw"
        raw.mkdir(parents=True)
        for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")[:parts]:
            (raw / f"{part}-ubyte.gz").touch()
    (tmp_path / "USPS").mkdir()
    (tmp_path / "USPS" / "usps.bz2").touch()
    (tmp_path / "USPS" / "usps.t.bz2").touch()
    result = tlbook_data("list")
    assert result.exit_code == 0
    rows = {line.split()[0]: line for line in result.output.splitlines()}
    assert list(rows)[1:-1] == [*SOURCES, *COLLECTIONS]
    assert " ".join(rows["mnist"].split()) == "mnist real 1×28×28 10 60,000 10,000 yes CC BY-SA 3.0"
    assert " ".join(rows["trec"].split()) == "trec text – 6 5,452 500 no research"
    assert " ".join(rows["wikitext-2"].split()) == "wikitext-2 text – – 8,118 – no CC BY-SA 3.0"
    here = {name: " yes " in rows[name] for name in rows if name in SOURCES}
    assert here == {name: name in ("digits", "rendered-digits", "digits-m", "mnist", "usps") for name in SOURCES}
    assert result.output.splitlines()[-1] == f"Real sets are kept in {tmp_path}"


def test_mnist_m_is_here_with_digits_and_photographs(tmp_path, real_root):
    here = SOURCES["mnist-m"].present
    assert here(real_root)
    assert not here(tmp_path)
    (tmp_path / "MNIST").symlink_to(real_root / "MNIST")
    assert not here(tmp_path)
    (tmp_path / "BSDS500").mkdir()
    (tmp_path / "BSDS500" / "BSR_bsds500.tgz").touch()
    assert here(tmp_path)
    (tmp_path / "MNIST").unlink()
    assert not here(tmp_path)


def test_fetch_tells_what_is_ready(tlbook_data):
    result = tlbook_data("fetch", "digits", "digits-m")
    assert (result.exit_code, result.output) == (0, "digits: ready\ndigits-m: ready\n")


def test_fetch_goes_on_after_a_failure_and_exits_with_1(tlbook_data):
    result = tlbook_data("fetch", "minst", "digits")
    assert result.exit_code == 1
    assert result.stdout == "digits: ready\n"
    assert result.stderr.startswith("minst: unknown data 'minst', expected mnist or ")


@pytest.mark.parametrize("words", [["fetch"], ["fetch", "digits", "--all"]])
def test_fetch_wants_names_or_all(tlbook_data, words):
    result = tlbook_data(*words)
    assert result.exit_code == 1
    assert "tlbook data fetch --all" in str(result.exception)


def test_fetch_all_asks_for_every_set(tlbook_data, monkeypatch):
    asked = []
    monkeypatch.setattr("tlbook.data.commands._each", lambda names, **how: asked.append((names, how)))
    tlbook_data("fetch", "--all")
    assert asked == [([*SOURCES, *COLLECTIONS], {"download": True, "check": False})]


def test_verify_checks_what_is_here(tlbook_data, monkeypatch):
    monkeypatch.delitem(SOURCES, "rendered-digits")  # the slowest to make
    result = tlbook_data("verify")
    assert (result.exit_code, result.output) == (0, "digits: as published\ndigits-m: as published\n")


def test_verify_exits_with_1_where_content_differs(tlbook_data, monkeypatch):
    other = dataclasses.replace(SOURCES["digits"], checksums={"train": "0" * 64, "test": "0" * 64})
    monkeypatch.setitem(SOURCES, "digits", other)
    result = tlbook_data("verify", "digits", "digits-m")
    assert result.exit_code == 1
    assert result.stdout == "digits-m: as published\n"
    assert "digits: train has the checksum" in result.stderr
    assert "expected 000000000000…" in result.stderr


def test_verify_names_a_missing_file_and_does_not_fetch(tlbook_data):
    result = tlbook_data("verify", "usps")
    assert result.exit_code == 1
    assert "zip.train.gz is missing" in result.stderr


def test_texts_are_fetched_listed_and_verified(tlbook_data, tmp_path, website, monkeypatch):
    text = b"1 a text\n"
    file = File("a/text", (website.url + "/text",), md5_is(hashlib.md5(text).hexdigest()))
    made_up = {"kind": "text", "classes": 2, "sizes": {"train": 1}, "licence": "none", "home": "", "reader": "nobody"}
    monkeypatch.setitem(COLLECTIONS, "made-up", collection_of_files((file,), name="made-up", **made_up))
    website.replies["/text"] = [text]
    assert "text is missing and download=False" in tlbook_data("verify", "made-up").stderr
    assert website.asked == []
    assert tlbook_data("fetch", "made-up").output == "made-up: ready\n"
    assert (tmp_path / "a" / "text").read_bytes() == text
    assert tlbook_data("verify", "made-up").output == "made-up: as published\n"
    (tmp_path / "a" / "text").write_bytes(b"other")
    assert "text is damaged and download=False" in tlbook_data("verify", "made-up").stderr


def test_the_real_texts_are_as_published(real_root, monkeypatch):
    monkeypatch.setenv("TLBOOK_DATA", str(real_root))
    texts = [name for name, collection in COLLECTIONS.items() if collection.kind == "text"]
    result = CliRunner().invoke(app, ["verify", *texts])
    assert result.output == "".join(f"{name}: as published\n" for name in texts)


def test_sizes_of_texts_are_those_of_the_files(real_root):
    for name in SENTENCES:
        for split, size in COLLECTIONS[name].sizes.items():
            path = real_root / SENTENCES[name].file(split).path
            assert len(path.read_text(encoding="latin-1").removesuffix("\n").split("\n")) == size
    lines = sum((real_root / file.path).read_text(encoding="utf-8").count("\n") for file in WIKITEXT)
    assert lines == COLLECTIONS["wikitext-2"].sizes["train"]


def test_a_root_that_cannot_be_written_is_one_line(tlbook_data, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TLBOOK_DATA", str(tmp_path / "file"))
    for name in ("trec", "mnist", "xlsa17", "mnist-m"):
        result = tlbook_data("fetch", name)
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith(f"{name}: cannot ")
