"""What the chapter on zero-shot learning runs on."""

from __future__ import annotations

__all__: list[str] = []
