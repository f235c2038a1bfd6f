"""Office-Caltech10: either key, and a clear line where the file is missing or is something else."""

import numpy as np
import pytest
import torch
from scipy.io import savemat

from tlbook.data import load
from tlbook.errors import TlbookError

NAMES = {
    "amazon": "amazon_SURF_L10.mat",
    "caltech": "Caltech10_SURF_L10.mat",
    "webcam": "webcam_SURF_L10.mat",
    "dslr": "dslr_SURF_L10.mat",
}


@pytest.mark.parametrize("key", ["fts", "feas"])
@pytest.mark.parametrize(("name", "file"), NAMES.items())
def test_either_key_gives_counts_and_labels_from_0(key, name, file, tmp_path):
    counts = np.random.default_rng(0).integers(0, 256, (20, 800))
    (tmp_path / "office-caltech10" / "surf").mkdir(parents=True)
    savemat(
        tmp_path / "office-caltech10" / "surf" / file,
        {key: counts.astype(float), "labels": np.arange(20)[:, None] % 10 + 1},
    )
    domain = load(f"office-caltech-{name}", root=tmp_path)
    assert domain.x.dtype == torch.uint8
    assert torch.equal(domain.x.long(), torch.from_numpy(counts))
    assert domain.y.tolist() == [*range(10), *range(10)]


def test_a_missing_file_says_which_and_where(tmp_path):
    with pytest.raises(TlbookError, match=r"^[^\n]*surf.dslr_SURF_L10\.mat is missing[^\n]*save it there[^\n]*$"):
        load("office-caltech-dslr", root=tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {"labels": np.ones((3, 1))},
        {"fts": np.ones((3, 800)), "labels": np.full((3, 1), 11)},
        {"fts": np.ones((3, 800)), "labels": np.ones((4, 1))},
        {"fts": np.full((3, 800), 0.5), "labels": np.ones((3, 1))},
        {"fts": np.full((3, 800), np.nan), "labels": np.ones((3, 1))},
    ],
)
def test_another_file_under_that_name_is_refused(content, tmp_path):
    (tmp_path / "office-caltech10" / "surf").mkdir(parents=True)
    savemat(tmp_path / "office-caltech10" / "surf" / "dslr_SURF_L10.mat", content)
    with pytest.raises(TlbookError, match=r"^[^\n]*dslr_SURF_L10\.mat (cannot be read|holds)[^\n]*$"):
        load("office-caltech-dslr", root=tmp_path)


def test_rubbish_is_refused(tmp_path):
    (tmp_path / "office-caltech10" / "surf").mkdir(parents=True)
    (tmp_path / "office-caltech10" / "surf" / "dslr_SURF_L10.mat").write_bytes(b"<html>not found</html>")
    with pytest.raises(TlbookError, match=r"^[^\n]*dslr_SURF_L10\.mat cannot be read[^\n]*$"):
        load("office-caltech-dslr", root=tmp_path)


def test_there_is_no_test_split(tmp_path):
    with pytest.raises(TlbookError, match="office-caltech-dslr has no split 'test', expected train;"):
        load("office-caltech-dslr", "test", root=tmp_path)
