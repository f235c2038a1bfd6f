from .adda import ADDA as ADDA
from .dann import DANN as DANN
from .deep_adaptation import DAN as DAN
from .deep_adaptation import DDC as DDC
from .deep_adaptation import DaNN as DaNN
from .deep_adaptation import DeepCORAL as DeepCORAL
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
    "ADDA",
    "DAN",
    "DANN",
    "DDC",
    "L2SP",
    "Batch",
    "DaNN",
    "DeepCORAL",
    "FineTune",
    "LayerTransfer",
    "Method",
    "OutputConservative",
    "Phase",
    "Place",
    "SourceOnly",
]
