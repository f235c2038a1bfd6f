"""Checks of the answers to the exercises on the taxonomy of transfer."""

from __future__ import annotations

__all__: list[str] = []
