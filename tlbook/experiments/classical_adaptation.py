"""Office-Caltech10 with SURF features: the table of the closed-form methods (chapter ``classical_adaptation``).

``python -m tlbook.experiments.classical_adaptation`` runs the twelve tasks and writes the table that the chapter
reads. Nothing here is random, so there are no seeds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, normalize

from tlbook.data import Domain, checksum, load
from tlbook.experiments.tables import write_table
from tlbook.methods import BDA, GFK, JDA, TCA, SubspaceAlignment
from tlbook.methods.classical_adaptation.estimator import principal_axes

__all__ = ["BASELINES", "METHODS", "PAIRS", "PUBLISHED", "accuracies", "prepare"]

Matrix = NDArray[np.float64]
LETTERS = {"C": "caltech", "A": "amazon", "W": "webcam", "D": "dslr"}
PAIRS = ("C-A", "C-W", "C-D", "A-C", "A-W", "A-D", "W-C", "W-A", "W-D", "D-C", "D-A", "D-W")
"""The tasks, source first, in the order of the papers."""

PUBLISHED: dict[str, tuple[str, tuple[float, ...]]] = {
    "1-NN": (
        "MEDA (Wang et al., ACM Multimedia 2018), table 2",
        (23.7, 25.8, 25.5, 26.0, 29.8, 25.5, 19.9, 23.0, 59.2, 26.3, 28.5, 63.4),
    ),
    "TCA": (
        "MEDA (Wang et al., ACM Multimedia 2018), table 2",
        (45.6, 39.3, 45.9, 42.0, 40.0, 35.7, 31.5, 30.5, 91.1, 33.0, 32.8, 87.5),
    ),
    "GFK": (
        "MEDA (Wang et al., ACM Multimedia 2018), table 2",
        (46.0, 37.0, 40.8, 40.7, 37.0, 40.1, 24.8, 27.6, 85.4, 29.3, 28.7, 80.3),
    ),
    "JDA": (
        "JDA (Long et al., ICCV 2013), as quoted by later texts",
        (44.78, 41.69, 45.22, 39.36, 37.97, 39.49, 31.17, 32.78, 89.17, 31.52, 33.09, 89.49),
    ),
}
"""For each method where its row was read, and the row in percent."""

PROTOCOL = (
    "All source and all target samples; rows divided by their sum, z-scores for each feature within each domain; "
    "nearest neighbour; last iteration. All rows but 1-NN: samples scaled to unit length before and, for PCA, TCA, JDA "
    "and BDA, after the projection. PCA: of both domains together, 30 components. TCA: linear kernel, 30 components, "
    "μ = 1 with L divided by its Frobenius norm 1/n_s + 1/n_t, that is μ = 1/n_s + 1/n_t. GFK and SA: 20 dimensions. "
    "JDA and BDA: 30 components, λ = 1, M as it is"
)


def unit_nearest() -> Any:
    """The nearest neighbour after scaling every row to length 1."""
    return make_pipeline(Normalizer(), KNeighborsClassifier(1))


def pooled_pca(xs: Matrix, xt: Matrix) -> tuple[Matrix, Matrix]:
    """The samples of both domains in the 30 leading principal components of all of them, scaled to length 1."""
    mean, axes = principal_axes(np.concatenate([xs, xt]), 30, "both domains")
    zs, zt = (normalize((x - mean) @ axes) for x in (xs, xt))
    return zs, zt


BASELINES: dict[str, Callable[[Matrix, Matrix], tuple[Matrix, Matrix]]] = {
    "1-NN": lambda xs, xt: (xs, xt),
    "1-NN, unit length": lambda xs, xt: (xs, xt),
    "PCA": pooled_pca,
}
"""For each row of the table without adaptation where the nearest neighbour compares the prepared samples."""

METHODS: dict[str, Callable[[int, int], Any]] = {
    "TCA": lambda n_s, n_t: TCA(dim=30, mu=1 / n_s + 1 / n_t, classifier=unit_nearest()),
    "TCA, μ = 1,000,000": lambda n_s, n_t: TCA(dim=30, mu=1e6, classifier=unit_nearest()),
    "TCA, components of equal variance": lambda n_s, n_t: TCA(
        dim=30, mu=1 / n_s + 1 / n_t, whiten=True, classifier=unit_nearest()
    ),
    "GFK": lambda n_s, n_t: GFK(dim=20),
    "SubspaceAlignment": lambda n_s, n_t: SubspaceAlignment(dim=20),
    "JDA": lambda n_s, n_t: JDA(dim=30, classifier=unit_nearest()),
    "JDA, 100 components": lambda n_s, n_t: JDA(dim=100, classifier=unit_nearest()),
    "BDA, balance 0.5": lambda n_s, n_t: BDA(dim=30, classifier=unit_nearest()),
    "BDA, balance estimated": lambda n_s, n_t: BDA(dim=30, balance="estimate", classifier=unit_nearest()),
}
"""For each row with adaptation what builds the method for so many source and target samples."""


def domain(letter: str) -> Domain:
    """One of the four domains, by its letter."""
    return load(f"office-caltech-{LETTERS[letter]}")


def prepare(x: Matrix, unit: bool = True) -> Matrix:
    """Counts N×D as the papers scale them: rows divided by their sum, z-scores within the domain, unit length.

    Args:
        x: counts of one domain; each row has a positive sum.
        unit: whether each row ends with length 1.

    Example:
        >>> prepare(np.array([[1.0, 3.0], [2.0, 2.0]]), unit=False)
        array([[-1.,  1.],
               [ 1., -1.]])
    """
    share = x / x.sum(axis=1, keepdims=True)
    spread = share.std(axis=0)
    z: Matrix = (share - share.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return z / np.linalg.norm(z, axis=1, keepdims=True) if unit else z


def accuracies(name: str, pairs: tuple[str, ...] = PAIRS) -> list[float]:
    """The target accuracies of a row of the table, 0 … 1, one a task.

    The target's labels are used to score, and for nothing else.
    """
    scores = []
    for pair in pairs:
        source, target = map(domain, pair.split("-"))
        xs, xt = (prepare(d.x.numpy().astype(np.float64), unit=name != "1-NN") for d in (source, target))
        ys, yt = source.labels().numpy(), target.labels().numpy()
        if name in BASELINES:
            zs, zt = BASELINES[name](xs, xt)
            predicted = KNeighborsClassifier(1).fit(zs, ys).predict(zt)
        else:
            predicted = METHODS[name](len(xs), len(xt)).fit(xs, ys, xt).predict(xt)
        scores.append(float((predicted == yt).mean()))
    return scores


def record(folder: Path | None = None) -> dict[str, Any]:
    """Run every row and write the table."""
    rows = {}
    for name in (*BASELINES, *METHODS):
        start = time.perf_counter()
        scores = accuracies(name)
        source, published = PUBLISHED.get(name, (None, None))
        rows[name] = {
            "accuracy": [round(score, 4) for score in scores],
            "mean": round(float(np.mean(scores)), 4),
            "published": None if published is None else [round(value / 100, 4) for value in published],
            "published_source": source,
            "seconds": round(time.perf_counter() - start, 1),
        }
        print(f"{name}: {rows[name]['mean']:.4f}")
    table = {
        "title": "Office-Caltech10, SURF, nearest neighbour",
        "protocol": PROTOCOL,
        "selection": "none: every setting is fixed beforehand and the same for all twelve tasks",
        "pairs": PAIRS,
        "rows": rows,
        "checksums": {name: checksum(domain(letter)) for letter, name in LETTERS.items()},
    }
    return write_table("office-caltech10", table, folder)


if __name__ == "__main__":
    record()
