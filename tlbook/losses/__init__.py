"""Distances, penalties and other terms of an objective, as pure functions on tensors.

Each function states the shapes it takes, the unit of what it returns and the equation it computes. Reduced
precision (bfloat16, float16) is widened to float32 before anything is summed; float64 stays float64, so that
every function can be checked with ``torch.autograd.gradcheck``.
"""

from tlbook.losses.adversarial import domain_adversarial, gradient_reversal
from tlbook.losses.capsules import margin_loss
from tlbook.losses.classification import cross_entropy, distillation, entropy
from tlbook.losses.contrast import nt_xent
from tlbook.losses.covariance import coral
from tlbook.losses.mmd import DOUBLINGS, linear_mmd2, mk_mmd2, mmd2
from tlbook.losses.penalties import l2_sp

__all__ = [
    "DOUBLINGS",
    "coral",
    "cross_entropy",
    "distillation",
    "domain_adversarial",
    "entropy",
    "gradient_reversal",
    "l2_sp",
    "linear_mmd2",
    "margin_loss",
    "mk_mmd2",
    "mmd2",
    "nt_xent",
]
