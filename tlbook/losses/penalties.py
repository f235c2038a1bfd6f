"""What holds weights near where they started."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tlbook._checks import check_module
from tlbook.errors import TlbookError

__all__ = ["l2_sp"]


def l2_sp(module: nn.Module, reference: nn.Module | Mapping[str, Tensor]) -> Tensor:
    """Half the squared distance of the weights from where they started: ½ Σ (w − w⁰)² over the shared names.

    Li, Grandvalet and Davoine, ICML 2018, eq. 2, without the factor α.

    Args:
        module: the module that is trained.
        reference: the starting point, as a module or as a dictionary of tensors by parameter name. Names that
            only one side has, such as a new head, are left out.

    Returns:
        A scalar, at least 0.

    Raises:
        TlbookError: when no parameter has the same name and shape on both sides.

    Example:
        >>> layer = nn.Linear(2, 1, bias=False)
        >>> start = {"weight": layer.weight.detach() + 1.0}
        >>> round(l2_sp(layer, start).item(), 4)
        1.0
    """
    check_module("module", module)
    if not isinstance(reference, Mapping):
        check_module("reference", reference, "a torch module, or a dictionary of tensors by the parameters' names")
    named = reference.named_parameters() if isinstance(reference, nn.Module) else reference.items()
    start: dict[str, Tensor] = {name: w0.detach() for name, w0 in named}
    distances = [
        (w - start[name]).square().sum()
        for name, w in module.named_parameters()
        if name in start and start[name].shape == w.shape
    ]
    if not distances:
        raise TlbookError(
            "no parameter has the same name and shape in both modules; expected a copy of the same network: "
            "give l2_sp the part that was transferred, not the new head"
        )
    return 0.5 * torch.stack(distances).sum()
