"""What the chapter on why to transfer runs on."""

from __future__ import annotations

__all__: list[str] = []
