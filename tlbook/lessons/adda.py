"""What the chapter on adversarial discriminative adaptation runs on."""

from __future__ import annotations

__all__: list[str] = []
