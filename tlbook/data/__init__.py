"""Domains: what they are, which the book knows, and how they are loaded."""

import tlbook._progress  # noqa: F401 - before pooch, which imports tqdm.auto as well and does not silence it
from tlbook._torchvision import declare_missing_operators
from tlbook.data.augment import jitter
from tlbook.data.catalogue import load, names
from tlbook.data.domain import Domain, checksum

__all__ = ["Domain", "checksum", "jitter", "load", "names"]

declare_missing_operators()  # whoever imports tlbook may import torchvision after it
