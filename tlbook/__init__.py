"""Transfer learning with neural networks: the code of the book, method by method.

``from tlbook import load, fit, claim`` and ``from tlbook.methods import DANN`` are where to begin; the chapters of
the book show each in use.
"""

from importlib.metadata import version

from tlbook import data, evaluate, losses, nets, plots, selection
from tlbook.claims import ClaimFailed, claim
from tlbook.data import Domain, load
from tlbook.profiles import profile
from tlbook.train import History, fit

__version__ = version("tlbook")

__all__ = [
    "ClaimFailed",
    "Domain",
    "History",
    "claim",
    "data",
    "evaluate",
    "fit",
    "load",
    "losses",
    "nets",
    "plots",
    "profile",
    "selection",
]
