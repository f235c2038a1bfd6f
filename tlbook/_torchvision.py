"""Make ``import torchvision`` work where its compiled extension cannot load.

A torchvision built for CUDA cannot load its extension beside a torch built for the CPU. The import then fails,
because torchvision registers Python kernels for two operators that only the extension declares. Their schemas
are all that is missing: datasets, transforms and models need neither operator.
"""

from importlib.util import find_spec
from pathlib import Path

import torch

SCHEMAS = (
    "torchvision::nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def declare_missing_operators() -> bool:
    """Declare torchvision's two operators where its extension cannot load; call it before ``import torchvision``.

    Where the builds match, the extension is loaded as torchvision itself would load it and nothing is declared.

    Returns:
        True if the schemas were declared, by this call.
    """
    if hasattr(torch.ops.torchvision, "nms"):
        return False
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    try:
        for extension in Path(spec.origin).parent.glob("_C.*"):
            torch.ops.load_library(extension)
            return False
    except OSError:
        pass
    for schema in SCHEMAS:
        name, signature = schema.split("(", 1)
        torch.library.define(name, "(" + signature)
    return True
