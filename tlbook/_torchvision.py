"""Make ``import torchvision`` work where its compiled extension cannot load.

A torchvision built for CUDA cannot load its extension beside a torch built for the CPU. The import then
fails, because torchvision registers Python kernels for two operators that only the extension declares. Their
schemas are all that is missing: datasets, transforms and models call neither operator.
"""

from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

import torch

OPERATORS = ("torchvision::nms", "torchvision::qnms")
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def declare_missing_operators() -> bool:
    """Declare torchvision's two operators where its extension cannot load.

    Call it before ``import torchvision``. Where the builds match, the extension is loaded as torchvision
    itself loads it, and nothing is declared.

    Returns:
        True where the operators are declared here, since the extension cannot load.

    >>> declare_missing_operators() == declare_missing_operators()
    True
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None or hasattr(torch.ops.torchvision, "nms"):
        return False
    for suffix in EXTENSION_SUFFIXES:
        extension = Path(spec.origin).with_name(f"_C{suffix}")
        if extension.exists():
            try:
                torch.ops.load_library(extension)  # type: ignore[no-untyped-call]
            except OSError:
                break
            return False
    for operator in OPERATORS:
        torch.library.define(operator, SCHEMA)
    return True
