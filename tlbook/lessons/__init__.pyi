from . import adda as adda
from . import capsules as capsules
from . import classical_adaptation as classical_adaptation
from . import dann as dann
from . import deep_adaptation as deep_adaptation
from . import finetune as finetune
from . import glomo as glomo
from . import partial_transfer as partial_transfer
from . import self_supervised as self_supervised
from . import taxonomy as taxonomy
from . import theory as theory
from . import why_transfer as why_transfer
from . import zero_shot as zero_shot

__all__ = [
    "adda",
    "capsules",
    "classical_adaptation",
    "dann",
    "deep_adaptation",
    "finetune",
    "glomo",
    "partial_transfer",
    "self_supervised",
    "taxonomy",
    "theory",
    "why_transfer",
    "zero_shot",
]
