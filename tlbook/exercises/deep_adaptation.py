"""Checks of the answers to the exercises on deep adaptation."""

from __future__ import annotations

__all__: list[str] = []
