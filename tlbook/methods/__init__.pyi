from .adda import ADDA as ADDA
from .capsules import CapsNet as CapsNet
from .classical_adaptation.bda import BDA as BDA
from .classical_adaptation.gfk import GFK as GFK
from .classical_adaptation.jda import JDA as JDA
from .classical_adaptation.subspace_alignment import SubspaceAlignment as SubspaceAlignment
from .classical_adaptation.tca import TCA as TCA
from .classical_adaptation.with_target import WithTarget as WithTarget
from .dann import DANN as DANN
from .deep_adaptation import DAN as DAN
from .deep_adaptation import DDC as DDC
from .deep_adaptation import DaNN as DaNN
from .deep_adaptation import DeepCORAL as DeepCORAL
from .finetune import L2SP as L2SP
from .finetune import FineTune as FineTune
from .finetune import LayerTransfer as LayerTransfer
from .finetune import OutputConservative as OutputConservative
from .glomo.learner import GraphLearner as GraphLearner
from .glomo.transfer import GLoMo as GLoMo
from .method import Batch as Batch
from .method import Method as Method
from .method import Phase as Phase
from .partial_transfer.iwan import IWAN as IWAN
from .partial_transfer.pada import PADA as PADA
from .partial_transfer.san import SAN as SAN
from .place import Place as Place
from .self_supervised import RotNet as RotNet
from .self_supervised import SimCLR as SimCLR
from .source_only import SourceOnly as SourceOnly
from .zero_shot.dap import DAP as DAP
from .zero_shot.eszsl import ESZSL as ESZSL
from .zero_shot.linear_embedding import LinearEmbedding as LinearEmbedding

__all__ = [
    "ADDA",
    "BDA",
    "DAN",
    "DANN",
    "DAP",
    "DDC",
    "ESZSL",
    "GFK",
    "IWAN",
    "JDA",
    "L2SP",
    "PADA",
    "SAN",
    "TCA",
    "Batch",
    "CapsNet",
    "DaNN",
    "DeepCORAL",
    "FineTune",
    "GLoMo",
    "GraphLearner",
    "LayerTransfer",
    "LinearEmbedding",
    "Method",
    "OutputConservative",
    "Phase",
    "Place",
    "RotNet",
    "SimCLR",
    "SourceOnly",
    "SubspaceAlignment",
    "WithTarget",
]
