"""Checks of the answers to the exercises on zero-shot learning."""

from __future__ import annotations

__all__: list[str] = []
