"""What the chapter on the theory of transfer runs on."""

from __future__ import annotations

__all__: list[str] = []
