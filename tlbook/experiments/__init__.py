"""Rows of the papers' tables as values; running one writes its result, which the book reads."""

from tlbook.experiments.experiment import Experiment, Published, find, names
from tlbook.experiments.result import read, reproduce, results_folder

__all__ = ["Experiment", "Published", "find", "names", "read", "reproduce", "results_folder"]
