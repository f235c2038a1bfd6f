"""Transfer learning with neural networks: the code of the book, method by method.

``from tlbook import load, fit, claim`` and ``from tlbook.methods import DANN`` are where to begin; the chapters of
the book show each in use. Each name is imported when it is first used, so that what needs no torch works without it.
"""

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("tlbook")
