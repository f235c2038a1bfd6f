"""Checks of the answers to the exercises on self-supervision."""

from __future__ import annotations

__all__: list[str] = []
