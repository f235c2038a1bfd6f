"""What the chapter on capsules runs on."""

from __future__ import annotations

__all__: list[str] = []
