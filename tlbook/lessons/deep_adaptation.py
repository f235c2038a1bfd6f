"""What the chapter on deep adaptation runs on."""

from __future__ import annotations

__all__: list[str] = []
