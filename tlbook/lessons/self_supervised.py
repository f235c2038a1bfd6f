"""What the chapter on self-supervision runs on."""

from __future__ import annotations

__all__: list[str] = []
