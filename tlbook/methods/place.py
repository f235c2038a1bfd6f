"""Where a method stands among the kinds of transfer learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Place"]


@dataclass(frozen=True)
class Place:
    """Where a method stands in the classifications of transfer learning (chapter ``taxonomy``).

    Attributes:
        target_labels: what the method knows of the target: ``"all"``, ``"few"`` or ``"none"`` of its labels.
        transfers: what is carried over: instances, features, models or relations; one or more.
        spaces: ``"homogeneous"`` where source and target share their input space, else ``"heterogeneous"``.
        arrival: ``"offline"`` where all data is there at the start, else ``"online"``.
        source_labels: whether the source must be labelled.
        needs_target: whether it learns from unlabelled rows of the target. A method that needs none and knows no label
            of it either is a baseline: :func:`tlbook.fit` takes a target beside it, for the sake of one call that
            serves all that are compared, and hands none of it on. Any other method that never reads one refuses it.
    """

    target_labels: Literal["all", "few", "none"]
    transfers: tuple[Literal["instances", "features", "models", "relations"], ...]
    spaces: Literal["homogeneous", "heterogeneous"] = "homogeneous"
    arrival: Literal["offline", "online"] = "offline"
    source_labels: bool = True
    needs_target: bool = False
