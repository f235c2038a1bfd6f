"""The kernel that chapters run in; it needs jupyter_client, which comes with papermill."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

__all__ = ["OwnKernel", "kill_all"]

SETTINGS = {
    "MATPLOTLIBRC": os.devnull,  # matplotlib's defaults, not the user's
    "PYTHONUTF8": "1",  # files are read and written in UTF-8, whatever the locale
    "TQDM_DISABLE": "1",  # a stored copy has no use for progress bars
}

_running: set[int] = set()  # the kernels' process groups, each led by its kernel


class OwnKernel(AsyncKernelManager):
    """A kernel of this interpreter, whatever else is installed as python3, that nobody's settings reach."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]), **traits)
        self._group = 0

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
        """Start it with ``SETTINGS`` in its environment."""
        await super().start_kernel(env={**os.environ, **SETTINGS}, **options)
        self._group = self.provisioner.pid  # type: ignore[union-attr]
        _running.add(self._group)

    async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
        """Forget it."""
        _running.discard(self._group)
        await super().cleanup_resources(restart)


def kill_all() -> None:
    """End at once every kernel that this process has started, with what it started itself."""
    for group in list(_running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
