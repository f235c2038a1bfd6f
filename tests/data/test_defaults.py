"""What the functions of the package do unless told otherwise, where another value would give other data."""

import inspect
from collections.abc import Callable

import pytest

from tlbook import data, evaluate, probe, theory
from tlbook.data import Domain, language, text, views, xlsa17
from tlbook.experiments import reproduce, run
from tlbook.methods.zero_shot import problem, strokes


def defaults(of: Callable[..., object]) -> dict[str, object]:
    given = inspect.signature(of).parameters.values()
    return {p.name: p.default for p in given if p.default is not inspect.Parameter.empty}


@pytest.mark.parametrize(
    ("of", "values"),
    [
        (data.load, {"split": "train", "root": None, "download": True}),
        (data.jitter, {"degrees": 10.0, "pixels": 2.0, "scale": 0.1}),
        (Domain.from_arrays, {"y": None, "classes": None}),
        (Domain.from_folder, {"size": 224, "channels": 3, "classes": None, "name": None, "disk": None}),
        (
            Domain.from_dataset,
            {"size": None, "channels": None, "columns": ("image", "label"), "classes": None, "disk": None},
        ),
        (Domain.from_disk, {"verify": False}),
        (views.Crop, {"scale": (0.08, 1.0), "ratio": (3 / 4, 4 / 3)}),
        (views.Affine, {"degrees": 15.0, "pixels": 3.0, "scale": 0.2}),
        (views.Light, {"brightness": 0.4, "contrast": 0.4}),
        (language.tell, {"length": 20, "people": 3}),
        (language.questions, {"length": 20, "people": 3}),
        (text.wikitext, {"root": None, "download": True}),
        (text.sentences, {"root": None, "download": True}),
        (xlsa17.load_splits, {"root": None, "field": "att"}),
        (xlsa17.load_benchmark, {"root": None, "field": "att"}),
        (evaluate.accuracy, {"batch_size": None, "statistics": None}),
        (probe.proxy_a_distance, {"seed": 0}),
        (theory.linear_pair_divergence, {"seed": 0, "starts": 8, "steps": 200}),
        (theory.sample_term, {"delta": 0.05}),
        (strokes.signatures, {"scale": True}),
        (problem.draws, {"count": 10, "seed": 0, "held_out": 3}),
        (reproduce, {"seeds": None, "device": "auto", "folder": None, "progress": True}),
        (run, {"seed": 0, "device": "auto", "progress": True}),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_the_defaults_are_those_that_the_docstrings_state(of: Callable[..., object], values: dict[str, object]) -> None:
    assert defaults(of) == values
