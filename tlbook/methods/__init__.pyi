from .dann import DANN as DANN
from .finetune import L2SP as L2SP
from .finetune import FineTune as FineTune
from .finetune import LayerTransfer as LayerTransfer
from .finetune import OutputConservative as OutputConservative
from .method import Batch as Batch
from .method import Method as Method
from .method import Phase as Phase
from .method import Place as Place
from .source_only import SourceOnly as SourceOnly

__all__ = [
    "DANN",
    "L2SP",
    "Batch",
    "FineTune",
    "LayerTransfer",
    "Method",
    "OutputConservative",
    "Phase",
    "Place",
    "SourceOnly",
]
