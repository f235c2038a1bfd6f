"""Rows of the papers' tables as values; running one writes its result, which the book reads."""

from tlbook.experiments.experiment import Experiment, Published, find, names
from tlbook.experiments.result import read, reproduce, results_folder
from tlbook.experiments.tables import read_table, write_table

__all__ = [
    "Experiment",
    "Published",
    "find",
    "names",
    "read",
    "read_table",
    "reproduce",
    "results_folder",
    "write_table",
]
