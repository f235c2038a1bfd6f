from . import data as data
from . import errors as errors
from . import evaluate as evaluate
from . import exercises as exercises
from . import lessons as lessons
from . import losses as losses
from . import methods as methods
from . import nets as nets
from . import plots as plots
from . import selection as selection
from . import theory as theory
from . import train as train
from .claims import ClaimFailed as ClaimFailed
from .claims import also_checked as also_checked
from .claims import claim as claim
from .data import Domain as Domain
from .data import load as load
from .profiles import profile as profile
from .train import History as History
from .train import fit as fit

__version__: str

__all__ = [
    "ClaimFailed",
    "Domain",
    "History",
    "also_checked",
    "claim",
    "data",
    "errors",
    "evaluate",
    "exercises",
    "fit",
    "lessons",
    "load",
    "losses",
    "methods",
    "nets",
    "plots",
    "profile",
    "selection",
    "theory",
    "train",
]
