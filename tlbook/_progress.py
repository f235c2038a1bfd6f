"""Whether a progress bar would be seen."""

from __future__ import annotations

import sys

__all__ = ["watched"]


def watched() -> bool:
    """Whether somebody watches: in a terminal or a live notebook."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return sys.stderr.isatty() or hasattr(shell, "kernel")
