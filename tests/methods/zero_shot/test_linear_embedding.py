"""The embedding is principal components and a ridge regression, and reads side data that no one wrote."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import cosine_similarity

from tlbook.errors import TlbookError
from tlbook.methods import LinearEmbedding


def test_it_is_what_scikit_learns_parts_make() -> None:
    rng = np.random.default_rng(0)
    side, new = rng.normal(size=(6, 30)), rng.normal(size=(3, 30))
    y = np.arange(120) % 6
    x = rng.normal(size=(120, 9))
    method = LinearEmbedding(dim=4, gamma=2.0).fit(x, y, side)
    pca = PCA(4).fit(side)
    regression = Ridge(alpha=2.0).fit(x, pca.transform(side)[y])
    classes = pca.transform(new)
    expected = cosine_similarity(regression.predict(x) - pca.transform(side)[y].mean(axis=0), classes)
    np.testing.assert_allclose(method.scores(x, new), expected, atol=1e-9)


def test_the_dimension_that_none_was_asked_for_is_one_less_than_the_classes() -> None:
    rng = np.random.default_rng(0)
    x, side = rng.normal(size=(40, 5)), rng.normal(size=(8, 100))
    method = LinearEmbedding().fit(x, np.arange(40) % 8, side)
    assert method.axes_.shape == (100, 7)
    assert method.points(x).shape == (40, 7)
    with pytest.raises(
        TlbookError,
        match=r"^dim is 8; [^\n]* at most 7: signatures has rank 7 \(8 sample[^\n]*$",
    ):
        LinearEmbedding(dim=8).fit(x, np.arange(40) % 8, side)


def test_classes_are_named_from_side_data_alone() -> None:
    rng = np.random.default_rng(1)
    hidden = rng.normal(size=(12, 3))
    side = hidden @ rng.normal(size=(3, 200)) + 0.1 * rng.normal(size=(12, 200))
    y = np.arange(1200) % 12
    x = hidden[y] @ rng.normal(size=(3, 15)) + 0.3 * rng.normal(size=(1200, 15))
    held = y >= 9
    method = LinearEmbedding(dim=3).fit(x[~held], y[~held], side[:9])
    assert (9 + method.predict(x[held], side[9:]) == y[held]).mean() > 0.75


def test_a_class_in_the_very_middle_gets_a_score_and_not_nan() -> None:
    rng = np.random.default_rng(0)
    side = rng.normal(size=(4, 6))
    method = LinearEmbedding().fit(rng.normal(size=(40, 5)), np.arange(40) % 4, side)
    scores = method.scores(method.x_mean_[None], np.stack([side.mean(axis=0), side[0]]))
    assert np.isfinite(scores).all()
