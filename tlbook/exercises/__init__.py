"""Checks that a reader runs on an answer: each says that it is right, or in a sentence what is wrong.

A module a chapter, by the chapter's name: ``from tlbook.exercises import dann`` and ``dann.the_sign(my_function)``.
"""

from tlbook.exercises import (
    adda,
    capsules,
    classical_adaptation,
    dann,
    deep_adaptation,
    finetune,
    glomo,
    partial_transfer,
    self_supervised,
    taxonomy,
    theory,
    why_transfer,
    zero_shot,
)
from tlbook.exercises.answer import Answer, ask

__all__ = [
    "Answer",
    "adda",
    "ask",
    "capsules",
    "classical_adaptation",
    "dann",
    "deep_adaptation",
    "finetune",
    "glomo",
    "partial_transfer",
    "self_supervised",
    "taxonomy",
    "theory",
    "why_transfer",
    "zero_shot",
]
