"""Rows of the papers' tables as values; running one writes its result, which the book reads."""

from tlbook.experiments.experiment import Experiment, PreTraining, Published, Run, Training, find, names
from tlbook.experiments.records import Record, read, results_folder, table
from tlbook.experiments.result import reproduce, run, written_to

__all__ = [
    "Experiment",
    "PreTraining",
    "Published",
    "Record",
    "Run",
    "Training",
    "find",
    "names",
    "read",
    "reproduce",
    "results_folder",
    "run",
    "table",
    "written_to",
]
