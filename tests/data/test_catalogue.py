"""The catalogue: its names, its root, and that every set is what it says it is."""

import bz2
import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pooch
import pytest
import torch
from PIL import Image

from tlbook.data import checksum, digits, load, mnist_m, names, rendered
from tlbook.data.blend import blend
from tlbook.data.catalogue import COLLECTIONS, SOURCES
from tlbook.data.root import data_root
from tlbook.data.source import Store
from tlbook.errors import TlbookError

EMBEDDED = [name for name, source in SOURCES.items() if source.kind == "embedded"]
REAL = [name for name, source in SOURCES.items() if source.kind == "real"]


def check(name, split, root=None):
    """Load a split without a network, and compare it with what the catalogue says; return it."""
    source = SOURCES[name]
    domain = load(name, split, root=root, download=False)
    assert domain.name == name
    assert domain.x.shape == (source.sizes[split], *source.shape)
    assert domain.x.dtype == torch.uint8
    assert domain.classes == source.classes
    assert domain.y.unique().tolist() == list(range(len(source.classes)))
    assert checksum(domain) == source.checksums[split]
    return domain


LICENCES = {
    "digits": "CC BY 4.0",
    "digits-m": "CC BY 4.0, photographs CC BY 2.0 and public domain",
    "rendered-digits": "free; fonts under the Bitstream Vera, STIX and BaKoMa licences",
    "mnist": "CC BY-SA 3.0",
    "fashion-mnist": "MIT",
    "mnist-m": "CC BY-SA 3.0, photographs for non-commercial research",
    "usps": "free for research",
    "customer-reviews": "research",
    "movie-reviews": "research",
    **{f"office-caltech-{part}": "research" for part in ("amazon", "caltech", "dslr", "webcam")},
    "wikitext-2": "CC BY-SA 3.0",
    "trec": "research",
    "sst-2": "research",
    "xlsa17": "research",
}


def test_the_licence_of_every_set_is_told_and_whether_it_needs_a_network():
    told = {name: found.licence for name, found in (SOURCES | COLLECTIONS).items()}
    assert told == LICENCES
    assert set(EMBEDDED) == {"digits", "digits-m", "rendered-digits"}
    assert set(EMBEDDED) | set(REAL) == set(SOURCES)


def test_names_are_the_sets_of_the_book():
    assert set(names()) >= {"digits", "rendered-digits", "digits-m", "mnist", "usps", "fashion-mnist", "mnist-m"}


@pytest.mark.parametrize(("given", "near"), [("minst", "mnist"), ("digit", "digits"), ("rendered", "rendered-digits")])
def test_an_unknown_name_gets_the_nearest(given, near):
    with pytest.raises(TlbookError, match=rf"^unknown data '{given}', expected .*\b{near}\b.*; .*list") as caught:
        load(given)
    assert "usps" not in str(caught.value)


@pytest.mark.parametrize("name", COLLECTIONS)
def test_what_is_no_domain_says_who_reads_it(name):
    reader = COLLECTIONS[name].reader
    with pytest.raises(TlbookError, match=rf"^{name} is no domain by itself[^\n]*{reader} reads it$"):
        load(name)
    module, function = reader.rsplit(".", 1)
    assert callable(getattr(__import__(module, fromlist=[function]), function))


def test_an_unheard_of_name_gets_them_all():
    with pytest.raises(TlbookError, match=" or ".join(names())):
        load("zzz")


def test_an_unknown_split_gets_the_splits():
    with pytest.raises(TlbookError, match="digits has no split 'val', expected train or test"):
        load("digits", "val")


def test_root_is_argument_then_environment_then_cache(monkeypatch):
    monkeypatch.setenv("TLBOOK_DATA", "/from/environment")
    assert data_root("/from/argument") == Path("/from/argument")
    assert data_root() == Path("/from/environment")
    monkeypatch.delenv("TLBOOK_DATA")
    assert data_root() == Path(pooch.os_cache("tlbook"))


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_sets_are_as_published(name, split, tmp_path):
    domain = check(name, split, tmp_path)
    counts = domain.y.bincount()
    assert counts.max() - counts.min() <= 6
    assert list(tmp_path.iterdir()) == []


def test_digits_lie_in_the_box_of_mnist():
    x = load("digits").x
    assert torch.equal(x[:, 0], x[:, 2])
    assert x[:, :, 4:24, 4:24].sum() == x.sum()
    assert x[:, :, 4:24, 4:24].amax() == 255


def test_digits_are_those_of_scikit_learn_each_in_one_split():
    from sklearn.datasets import load_digits

    ink, labels = load_digits(return_X_y=True)
    both = [load("digits", split) for split in ("train", "test")]
    assert torch.cat([domain.y for domain in both]).bincount().tolist() == np.bincount(labels).tolist()
    # The box holds 2.5 by 2.5 pixels for each of the original's, so the mean over the box is the mean ink.
    means = torch.cat([domain.x[:, 0, 4:24, 4:24].double().mean(dim=(1, 2)) for domain in both])
    assert np.allclose(np.sort(means), np.sort(ink.mean(axis=1) * 255 / 16), atol=3)


def frame(domain):
    """Of each image the four outer pixels on every side, which no digit reaches: N×3×M, from 0 to 1."""
    inside = torch.zeros(28, 28, dtype=torch.bool)
    inside[4:24, 4:24] = True
    return domain.x[:, :, ~inside].double() / 255


def test_digits_m_is_the_same_digits_on_squares_of_the_photographs():
    for seed, split in enumerate(("train", "test")):
        plain, blended = load("digits", split), load("digits-m", split)
        assert torch.equal(plain.y, blended.y)
        squares = [square for photo in digits.photographs() for square in digits.chequerboard(photo, split)]
        assert torch.equal(blended.x, blend(plain.x[:, :1], squares, seed))


def test_digits_m_has_patches_of_three_photographs_in_both_splits_and_no_pixel_in_both(monkeypatch):
    """Photographs whose pixels say which they are: what stands in the frame tells where the patch lies."""

    def numbered(number, photo):
        at = np.arange(photo.shape[0] * photo.shape[1]).reshape(photo.shape[:2]) + number * 2**20
        return np.stack([at >> 16, at >> 8 & 255, at & 255], axis=2).astype(np.uint8)

    photos = [numbered(number, photo) for number, photo in enumerate(digits.photographs())]
    monkeypatch.setattr(digits, "photographs", lambda: photos)
    covered = np.zeros((2, len(photos), *np.max([photo.shape[:2] for photo in photos], axis=0)), dtype=bool)
    for split, part in zip(("train", "test"), covered, strict=True):
        x, _ = digits.read_digits_m(split, Store(Path(), download=False))
        first, last = ((x[:, :, at, at].int() * torch.tensor([2**16, 2**8, 1])).sum(dim=1).tolist() for at in (0, -1))
        numbers = [pixel >> 20 for pixel in first]
        assert min(np.bincount(numbers, minlength=3)) > len(x) / 4
        for number, start, end in zip(numbers, first, last, strict=True):
            columns = photos[number].shape[1]
            assert end - start == 27 * columns + 27
            top, left = divmod(start % 2**20, columns)
            part[number, top : top + 28, left : left + 28] = True
    assert not (covered[0] & covered[1]).any()


def test_the_patches_of_digits_m_are_of_the_same_kind_in_both_splits():
    """Colours, contrasts, and what a reader of plain digits reads: between the splits as within one of them."""
    from scipy.stats import ks_2samp
    from sklearn.linear_model import LogisticRegression

    def apart(one, other):
        looks = [torch.cat([frame(d).mean(dim=2), frame(d).std(dim=2)], dim=1).numpy() for d in (one, other)]
        return max(ks_2samp(*values).statistic for values in zip(*(look.T for look in looks), strict=True))

    train, test = load("digits-m"), load("digits-m", "test")
    within = [apart(*train.split(2 / 3, seed)) for seed in range(20)]  # the smaller part has as many images as test
    assert apart(train, test) < max(within)

    plain = load("digits")
    reader = LogisticRegression(C=0.01, max_iter=300).fit(plain.x[:, 0].flatten(1).numpy() / 255, plain.y)
    read = [reader.score(d.x.double().mean(dim=1).flatten(1).numpy() / 255, d.y) for d in (train, test)]
    assert abs(read[0] - read[1]) < 0.05


def test_a_matplotlib_without_its_sample_data_is_told_what_to_install(monkeypatch):
    import matplotlib.cbook

    monkeypatch.setattr(matplotlib.cbook, "get_sample_data", lambda name, asfileobj: f"/nowhere/{name}")
    with pytest.raises(TlbookError, match=r"^/nowhere/grace_hopper.jpg is missing; .* install matplotlib with pip"):
        load("digits-m")


def test_rendered_digits_can_be_read():
    """Labels, fonts and colours fit together: strokes told from the background by a linear model name the digit."""
    from sklearn.linear_model import RidgeClassifier

    def strokes(domain):
        x = domain.x.double()
        difference = (x - x[:, :, :1, :1]).abs().sum(dim=1).flatten(1)
        return (difference / difference.amax(dim=1, keepdim=True)).numpy()

    train, test = load("rendered-digits", "test").split(0.8, seed=0)
    model = RidgeClassifier(alpha=100).fit(strokes(train), train.y.numpy())
    assert model.score(strokes(test), test.y.numpy()) > 0.4


def test_rendered_digits_vary_and_keep_their_contrast():
    x = load("rendered-digits", "test").x.double()
    brightness = x.mean(dim=1).flatten(1)
    assert (brightness.amax(dim=1) - brightness.amin(dim=1)).min() > 15
    assert x[:, :, 0, 0].std() > 50
    assert len(rendered.FONTS) == len(set(rendered.FONTS)) == 22


def test_blend_is_the_difference_to_a_patch_of_a_photograph():
    """Against a search: every blended image is |digit − patch| for one place in one of the photographs."""
    random = np.random.RandomState(7)
    photos = [random.randint(256, size=shape, dtype=np.uint8) for shape in ((9, 12, 3), (14, 7, 3), (6, 6, 3))]
    digit = torch.from_numpy(random.randint(256, size=(200, 1, 6, 6), dtype=np.uint8))
    patches = {
        (number, top, left): photo[top : top + 6, left : left + 6].astype(int)
        for number, photo in enumerate(photos)
        for top in range(photo.shape[0] - 5)
        for left in range(photo.shape[1] - 5)
    }
    blended = blend(digit, photos, seed=0)
    places = set()
    for one, image in zip(digit.numpy(), blended.numpy(), strict=True):
        fits = [at for at, p in patches.items() if np.array_equal(abs(one.astype(int) - p.transpose(2, 0, 1)), image)]
        assert len(fits) == 1
        places.add(fits[0])
    assert {number for number, _, _ in places} == {0, 1, 2}
    assert {(0, 0, 0), (0, 3, 6), (1, 8, 1)} < places  # the corners are reached
    assert torch.equal(blended, blend(digit, photos, seed=0))
    assert not torch.equal(blended, blend(digit, photos, seed=1))


def test_blend_of_many_is_blend_of_few():
    """The parts that bound the memory leave no trace: black digits show the patches, all of them different."""
    noise = np.random.RandomState(0).randint(256, size=(2000, 2000, 3), dtype=np.uint8)
    blended = blend(torch.zeros(9000, 1, 8, 8, dtype=torch.uint8), [noise], seed=0)
    assert len({image.tobytes() for image in blended.numpy()}) > 8980


@pytest.mark.parametrize(("name", "split"), [(name, split) for name in REAL for split in SOURCES[name].sizes])
def test_real_sets_are_as_published_and_their_root_is_left_alone(name, split, real_root):
    before = sorted(real_root.glob("*/**"))
    check(name, split, real_root)
    assert sorted(real_root.glob("*/**")) == before


def test_mnist_starts_as_everyone_knows(real_root):
    assert load("mnist", root=real_root).y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert load("mnist", "test", root=real_root).y.bincount()[:3].tolist() == [980, 1135, 1032]


def test_usps_has_the_known_nearest_neighbour_accuracy(real_root):
    from sklearn.neighbors import KNeighborsClassifier

    train, test = (load("usps", split, root=real_root) for split in ("train", "test"))
    nearest = KNeighborsClassifier(1).fit(train.x.flatten(1).numpy().astype(float), train.y.numpy())
    assert nearest.score(test.x.flatten(1).numpy().astype(float), test.y.numpy()) == pytest.approx(0.944, abs=0.001)


@pytest.fixture
def usps_bz2(real_root, tmp_path, monkeypatch):
    """The first 100 test digits rewritten in libsvm's encoding, its hash made known to torchvision."""
    from torchvision.datasets import USPS

    with gzip.open(real_root / "USPS" / "zip.test.gz", "rt") as file:
        rows = [line.split() for line in file][:100]
    text = "".join(
        " ".join([str(int(float(row[0])) + 1), *(f"{k}:{float(v):.6f}" for k, v in enumerate(row[1:], 1))]) + "\n"
        for row in rows
    )
    packed = tmp_path / "USPS" / "usps.t.bz2"
    packed.parent.mkdir()
    packed.write_bytes(bz2.compress(text.encode()))
    url, name, _ = USPS.split_list["test"]
    monkeypatch.setitem(USPS.split_list, "test", [url, name, pooch.file_hash(packed, "md5")])
    return packed


def test_usps_reads_both_encodings_alike(usps_bz2, real_root, tmp_path):
    short, whole = load("usps", "test", root=tmp_path, download=False), load("usps", "test", root=real_root)
    assert torch.equal(short.x, whole.x[:100])
    assert torch.equal(short.y, whole.y[:100])


def test_usps_does_not_trust_a_damaged_bz2(usps_bz2, tmp_path):
    usps_bz2.write_bytes(usps_bz2.read_bytes()[:-10])
    with pytest.raises(TlbookError, match=r"zip\.test\.gz is missing"):
        load("usps", "test", root=tmp_path, download=False)


def test_mnist_m_blends_each_split_with_its_own_photographs(real_root):
    plain = load("mnist", "test", root=real_root)
    blended = load("mnist-m", "test", root=real_root)
    files = sorted((real_root / "BSDS500" / "images" / "test").glob("*.jpg"), key=lambda path: path.name)
    photos = [np.asarray(Image.open(path)) for path in files]
    assert len(photos) == 100
    assert torch.equal(blended.y, plain.y)
    assert torch.equal(blended.x, blend(plain.x, photos, seed=1))


@pytest.fixture
def archive(real_root, tmp_path):
    """An archive with the layout of the public one, of the test photographs and some that are not asked for."""
    packed = tmp_path / mnist_m.ARCHIVE
    packed.parent.mkdir()
    with tarfile.open(packed, "w:gz", compresslevel=1) as tar:
        for path in (real_root / "BSDS500" / "images" / "test").glob("*.jpg"):
            tar.add(path, f"BSR/BSDS500/data/images/test/{path.name}")
        for other in ("images/train/1.jpg", "images/test/Thumbs.db", "groundTruth/test/2.jpg"):
            tar.addfile(tarfile.TarInfo(f"BSR/BSDS500/data/{other}"), io.BytesIO())
    return packed


def test_photographs_come_from_the_public_archive_too(archive, real_root, tmp_path):
    ours = mnist_m.photographs("test", Store(tmp_path, download=False))
    theirs = mnist_m.photographs("test", Store(real_root, download=False))
    assert len(ours) == 100
    assert all(map(np.array_equal, ours, theirs))


@pytest.mark.parametrize("damage", [lambda b: b[:1_000_000], lambda b: b"<html>", lambda b: b[:500_000] + b[500_001:]])
def test_a_damaged_archive_of_photographs_is_not_used(archive, tmp_path, damage):
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(TlbookError, match=r"BSR_bsds500.tgz is damaged and download=False"):
        mnist_m.photographs("test", Store(tmp_path, download=False))


def test_a_changed_photograph_is_noticed(real_root, tmp_path):
    folder = tmp_path / "BSDS500" / "images" / "test"
    folder.mkdir(parents=True)
    for path in (real_root / "BSDS500" / "images" / "test").glob("*.jpg"):
        (folder / path.name).write_bytes(path.read_bytes())
    store = Store(tmp_path, download=False)
    assert len(mnist_m.photographs("test", store)) == 100
    with (folder / "100007.jpg").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(TlbookError, match=r"BSR_bsds500.tgz is missing"):
        mnist_m.photographs("test", store)
