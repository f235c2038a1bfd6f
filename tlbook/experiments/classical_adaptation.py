"""Office-Caltech10 with SURF features: the table of the closed-form methods (chapter ``classical_adaptation``).

A seed is a task here: nothing is random.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from tlbook.data import Domain, load
from tlbook.experiments.experiment import Experiment, Published, Run
from tlbook.methods import BDA, GFK, JDA, TCA, SubspaceAlignment
from tlbook.methods.classical_adaptation.baselines import NoAdaptation, PooledPCA

__all__ = ["PAIRS", "ROWS", "prepare"]

Matrix = NDArray[np.float64]
LETTERS = {"C": "caltech", "A": "amazon", "W": "webcam", "D": "dslr"}
PAIRS = ("C-A", "C-W", "C-D", "A-C", "A-W", "A-D", "W-C", "W-A", "W-D", "D-C", "D-A", "D-W")
"""The tasks, source first, in the order of the papers."""

MEDA = "MEDA (Wang et al., ACM Multimedia 2018), table 2"

PUBLISHED: dict[str, tuple[str, tuple[float, ...]]] = {
    "nearest-neighbour": (
        MEDA,
        (23.7, 25.8, 25.5, 26.0, 29.8, 25.5, 19.9, 23.0, 59.2, 26.3, 28.5, 63.4),
    ),
    "tca": (
        MEDA,
        (45.6, 39.3, 45.9, 42.0, 40.0, 35.7, 31.5, 30.5, 91.1, 33.0, 32.8, 87.5),
    ),
    "gfk": (
        MEDA,
        (46.0, 37.0, 40.8, 40.7, 37.0, 40.1, 24.8, 27.6, 85.4, 29.3, 28.7, 80.3),
    ),
    "jda": (
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


def domain(letter: str) -> Domain:
    """One of the four domains, by its letter."""
    return load(f"office-caltech-{LETTERS[letter]}")


def task(seed: int) -> tuple[Domain, Domain, Domain]:
    """Source, target and test domain of a task; the last two are the same images."""
    source, target = map(domain, PAIRS[seed].split("-"))
    return source, target.unlabelled(), target


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


def adapted(run: Run, unit: bool = True) -> dict[str, float]:
    """Fit a method by its formula on prepared rows. The target's labels are used to score, and for nothing else."""
    xs, xt = (prepare(d.x.numpy().astype(np.float64), unit) for d in (run.source, run.test))
    predicted = run.method.fit(xs, run.source.labels().numpy(), xt).predict(xt)
    return {"accuracy": float((predicted == run.test.labels().numpy()).mean())}


def unit_nearest() -> Any:
    """The nearest neighbour after scaling every row to length 1."""
    return make_pipeline(Normalizer(), KNeighborsClassifier(1))


def tca(seed: int, **settings: Any) -> TCA:
    """μ = 1 where L is divided by its Frobenius norm, which depends on the numbers of samples."""
    n_s, n_t = (len(domain(letter)) for letter in PAIRS[seed].split("-"))
    return TCA(dim=30, mu=1 / n_s + 1 / n_t, classifier=unit_nearest(), **settings)


def row(name: str, title: str, paper: str, method: Callable[[int], Any], unit: bool = True) -> Experiment:
    """A method on all twelve tasks."""
    source, percent = PUBLISHED.get(name, ("", ()))
    shares = {pair: round(value / 100, 4) for pair, value in zip(PAIRS, percent, strict=False)}
    mean = round(float(np.mean(list(shares.values()))), 6) if shares else None
    return Experiment(
        name=f"classical-adaptation-{name}",
        title=title,
        paper=paper,
        table="Office-Caltech10, SURF, nearest neighbour",
        task="C → A … D → W, twelve tasks",
        protocol=PROTOCOL,
        network="none: bags of 800 visual words",
        selection="none: every setting is fixed beforehand and the same for all twelve tasks",
        published=Published(mean, source, "secondary", shares) if shares else None,
        domains=task,
        method=method,
        measures=partial(adapted, unit=unit),
        seeds=len(PAIRS),
        over="tasks",
    )


BASELINE = "the baseline of all"
PAN = "Pan, Tsang, Kwok and Yang, Domain adaptation via transfer component analysis, IEEE TNN 22(2), 2011"
GONG = "Gong, Shi, Sha and Grauman, Geodesic flow kernel for unsupervised domain adaptation, CVPR 2012"
FERNANDO = (
    "Fernando, Habrard, Sebban and Tuytelaars, Unsupervised visual domain adaptation using subspace alignment, 2013"
)
LONG = "Long, Wang, Ding, Sun and Yu, Transfer feature learning with joint distribution adaptation, ICCV 2013"
WANG = "Wang, Chen, Hao, Feng and Shen, Balanced distribution adaptation for transfer learning, ICDM 2017"
ROWS = {
    experiment.title: experiment
    for experiment in (
        row("nearest-neighbour", "1-NN", BASELINE, lambda seed: NoAdaptation(), unit=False),
        row("unit-length", "1-NN, unit length", BASELINE, lambda seed: NoAdaptation()),
        row("pca", "PCA", BASELINE, lambda seed: PooledPCA(30, unit_nearest())),
        row("tca", "TCA", PAN, tca),
        row("tca-large-mu", "TCA, μ = 1,000,000", PAN, lambda seed: TCA(dim=30, mu=1e6, classifier=unit_nearest())),
        row("tca-equal-variance", "TCA, components of equal variance", PAN, partial(tca, whiten=True)),
        row("gfk", "GFK", GONG, lambda seed: GFK(dim=20)),
        row("subspace-alignment", "SubspaceAlignment", FERNANDO, lambda seed: SubspaceAlignment(dim=20)),
        row("jda", "JDA", LONG, lambda seed: JDA(dim=30, classifier=unit_nearest())),
        row("jda-100", "JDA, 100 components", LONG, lambda seed: JDA(dim=100, classifier=unit_nearest())),
        row("bda", "BDA, balance 0.5", WANG, lambda seed: BDA(dim=30, classifier=unit_nearest())),
        row(
            "bda-estimated",
            "BDA, balance estimated",
            WANG,
            lambda seed: BDA(dim=30, balance="estimate", classifier=unit_nearest()),
        ),
    )
}
"""The rows of the table, by title."""
