"""Checks of the answers to the exercises on partial transfer."""

from __future__ import annotations

__all__: list[str] = []
