"""What the chapter on GLoMo runs on."""

from __future__ import annotations

__all__: list[str] = []
