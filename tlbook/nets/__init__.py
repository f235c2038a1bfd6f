"""Backbones, heads and layers as torch modules."""

from tlbook.nets.capsules import CapsuleLayer, Lengths, PrimaryCapsules, route, routing_steps, squash
from tlbook.nets.convolutions import conv_features
from tlbook.nets.norm import DomainBatchNorm, classify_as
from tlbook.nets.perceptrons import ClasswiseMLP, mlp
from tlbook.nets.pixels import Pixels

__all__ = [
    "CapsuleLayer",
    "ClasswiseMLP",
    "DomainBatchNorm",
    "Lengths",
    "Pixels",
    "PrimaryCapsules",
    "classify_as",
    "conv_features",
    "mlp",
    "route",
    "routing_steps",
    "squash",
]
