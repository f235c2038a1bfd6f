"""What the chapter on the taxonomy of transfer runs on."""

from __future__ import annotations

__all__: list[str] = []
