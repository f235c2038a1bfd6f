"""What a chapter runs on: its data, its network and its sizes, at the profile that is asked for.

A module a chapter, by the chapter's name: ``lessons.dann.ground("quick")``.
"""

from tlbook.lessons import (
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

__all__ = [
    "adda",
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
