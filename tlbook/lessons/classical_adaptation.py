"""What the chapter on classical adaptation runs on."""

from __future__ import annotations

__all__: list[str] = []
