"""Checks of the answers to the exercises on classical adaptation."""

from __future__ import annotations

__all__: list[str] = []
