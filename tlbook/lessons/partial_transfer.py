"""What the chapter on partial transfer runs on."""

from __future__ import annotations

__all__: list[str] = []
