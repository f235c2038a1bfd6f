"""Progress bars, and whether one would be seen."""

from __future__ import annotations

import os
import sys
import warnings

from tqdm import TqdmWarning

with warnings.catch_warnings():
    warnings.simplefilter("ignore", TqdmWarning)  # without ipywidgets the bar is one of text, which is no trouble
    from tqdm.auto import tqdm

__all__ = ["tqdm", "watched"]


def watched() -> bool:
    """Whether somebody watches: in a terminal or a live notebook; TQDM_DISABLE=1 says that nobody does."""
    if os.environ.get("TQDM_DISABLE", "") not in ("", "0"):
        return False
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return sys.stderr.isatty() or hasattr(shell, "kernel")
