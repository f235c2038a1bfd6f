"""Checks that a reader runs on an answer: each says that it is right, or in a sentence what is wrong.

A module a chapter, by the chapter's name: ``from tlbook.exercises import dann`` and ``dann.the_sign(my_function)``.
"""

from tlbook.exercises import dann, finetune
from tlbook.exercises.answer import Answer, ask

__all__ = ["Answer", "ask", "dann", "finetune"]
