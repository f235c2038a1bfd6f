"""Checks of the answers to the exercises on capsules."""

from __future__ import annotations

__all__: list[str] = []
