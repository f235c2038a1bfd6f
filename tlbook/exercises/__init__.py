"""Checks that a reader runs on an answer: each says that it is right, or in a sentence what is wrong.

A module a chapter, by the chapter's name: ``from tlbook.exercises import dann`` and ``dann.the_sign(my_function)``.
Each is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
