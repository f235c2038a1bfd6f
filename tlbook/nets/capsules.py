"""Capsules: vectors in the place of neurons, and how they agree where to send what they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tlbook._checks import check_choice, check_tensor, check_whole
from tlbook.errors import TlbookError

__all__ = ["CapsuleLayer", "Lengths", "PrimaryCapsules", "route", "routing_steps", "squash"]


def squash(s: Tensor, dim: int = -1) -> Tensor:
    """v = ‖s‖²/(1 + ‖s‖²) · s/‖s‖: the direction stays, the length becomes 0 … 1.

    Sabour, Frosst and Hinton, *Dynamic routing between capsules*, NIPS 2017, eq. 1.

    Args:
        s: vectors along ``dim``; a zero vector stays zero and has a finite gradient. Half precision is widened for the
            length, whose square would leave its range; whole numbers become float32.
        dim: the dimension along which a vector lies.

    Example:
        >>> squash(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))  # 25/26 of the direction
        tensor([[0.5769, 0.7692],
                [0.0000, 0.0000]])
    """
    if check_tensor("s", s).is_complex():
        raise TlbookError(f"s is {s.dtype}; expected real numbers: give their real part")
    check_whole("dim", dim, at_least=-s.dim(), at_most=s.dim() - 1)
    full = s.to(torch.promote_types(s.dtype, torch.float32))
    full = full * _shrinkage(full, dim)
    length: Tensor = torch.linalg.vector_norm(full, dim=dim, keepdim=True)
    return (full * (length / (1 + length.square()))).to(s.dtype if s.is_floating_point() else full.dtype)


def _shrinkage(s: Tensor, dim: int, longest: float = 1e9) -> Tensor:
    """What makes vectors so short that their squares are in range: 1 for all whose squashed length is not 1 anyway."""
    return longest / s.detach().abs().amax(dim=dim, keepdim=True).clamp_min(longest)


def routing_steps(
    u_hat: Tensor, iterations: int = 3, through: Literal["last", "all"] = "last"
) -> Iterator[tuple[Tensor, Tensor]]:
    """Routing by agreement, iteration by iteration: the couplings c and the outputs v of each.

    Procedure 1 of Sabour, Frosst and Hinton (2017): b = 0; then c = soft-max of b over the *outputs*, s_j = Σ_i c_ij
    û_j|i, v_j = squash(s_j), b_ij ← b_ij + û_j|i · v_j.

    Args:
        u_hat: û, the predictions, batch × inputs × outputs × d.
        iterations: at least 1.
        through: the paper does not say what the gradient passes through. ``"last"``: the sum of the last iteration
            alone, with its couplings taken as constants. ``"all"``: everything, as in the authors' code, which also
            adds learned biases that start at 0.1 to the s_j, takes half the margin loss, and updates b once more at the
            end, to no effect.

    Returns:
        An iterator over pairs of c, batch × inputs × outputs, whose sum over the outputs is 1; and v, batch × outputs
        × d.

    Raises:
        TlbookError: for û of another shape, or fewer than one iteration.

    Example:
        >>> u_hat = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [-1.0, 0.0]]]])  # both agree on output 0
        >>> [round(c[0, 0, 0].item(), 2) for c, v in routing_steps(u_hat, iterations=3)]
        [0.5, 0.62, 0.75]
    """
    if check_tensor("û", u_hat).dim() != 4:
        raise TlbookError(f"û has shape {tuple(u_hat.shape)}; expected batch × inputs × outputs × d")
    _check_routing(iterations, through)
    return _routing_steps(u_hat, iterations, through)


def _routing_steps(u_hat: Tensor, iterations: int, through: str) -> Iterator[tuple[Tensor, Tensor]]:
    held = u_hat if through == "all" else u_hat.detach()
    b = u_hat.new_zeros(u_hat.shape[:3])
    for left in reversed(range(iterations)):
        c = b.softmax(dim=2)  # eq. 3
        v = squash(torch.einsum("bio,biod->bod", c, held if left else u_hat))  # eq. 2, eq. 1
        yield c, v
        if left:
            b = b + torch.einsum("biod,bod->bio", held, v)


def route(u_hat: Tensor, iterations: int = 3, through: Literal["last", "all"] = "last") -> Tensor:
    """The outputs v, batch × outputs × d, of the last of :func:`routing_steps`, with its arguments and errors.

    Example:
        >>> route(torch.ones(2, 5, 3, 4)).shape
        torch.Size([2, 3, 4])
    """
    *_, (_, v) = routing_steps(u_hat, iterations, through)
    return v


def _check_routing(iterations: int, through: str) -> None:
    check_whole("iterations", iterations, at_least=1, hint="the paper takes 3")
    check_choice("through", through, ("last", "all"))


class _Routed(torch.autograd.Function):
    """Routing from the inputs u and the weights W, without û, and its gradient through the last iteration.

    s_j = Σ_i c_ij W_ij u_i is, for each output j, one matrix product of the rows (c_ij u_i) with W_j; û_j|i · v_j is
    the product of u_i with (W_ij v_j), and those are one matrix product too. Of the size of the batch times the inputs
    there is only one output at a time.
    """

    @staticmethod
    def forward(ctx: Any, u: Tensor, weight: Tensor, iterations: int) -> Tensor:
        batch, _, inputs = u.shape  # the inputs last: they are many, and sums over the width run along them
        outputs = len(weight)
        flat, matrices = u.flatten(1), weight.flatten(1, 2)
        s = torch.matmul(flat, matrices) / outputs  # the first iteration: every coupling is 1/outputs
        v = squash(s)
        c = u.new_full((outputs, batch, inputs), 1 / outputs)
        agreed = torch.zeros_like(v)
        for _ in range(iterations - 1):
            agreed += v
            for j in range(outputs):
                turned = torch.mm(agreed[j], matrices[j].t()).view_as(u)
                torch.sum(turned.mul_(u), dim=1, out=c[j])  # b: û·(v of all iterations so far)
            c = c.softmax(dim=0)
            for j in range(outputs):
                torch.mm((c[j].unsqueeze(1) * u).flatten(1), matrices[j], out=s[j])
            v = squash(s)
        ctx.save_for_backward(u, weight, c, s)
        return v.transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        u, weight, c, s = ctx.saved_tensors
        g = grad.transpose(0, 1)
        smaller = _shrinkage(s, dim=2)
        s, g = s * smaller, g * smaller
        n = torch.linalg.vector_norm(s, dim=2, keepdim=True)
        direction = s / n.clamp_min(torch.finfo(s.dtype).tiny)
        shrink = n / (1 + n.square())
        steeper = shrink * ((1 - n.square()) / (1 + n.square()))  # n³ would overflow
        g = shrink * g + steeper * (direction * g).sum(dim=2, keepdim=True) * direction  # squash
        matrices = weight.flatten(1, 2)
        grad_u, grad_matrices = torch.zeros_like(u), torch.empty_like(matrices)
        for j, c_j in enumerate(c.unsqueeze(2)):
            torch.mm((c_j * u).flatten(1).t(), g[j], out=grad_matrices[j])
            grad_u.addcmul_(c_j, torch.mm(g[j], matrices[j].t()).view_as(u))
        return grad_u, grad_matrices.view_as(weight), None


class CapsuleLayer(nn.Module):
    """Capsules that choose by agreement where to send what they say (Sabour, Frosst and Hinton, 2017, section 2).

    Every input i predicts every output j, û_j|i = W_ij u_i, and :func:`route` weighs the predictions. With ``through =
    "last"`` û is never formed, which takes less time and much less memory; ``"all"`` forms it. What comes out with
    ``"last"`` must not be changed in place, and has neither second derivatives nor ``vmap``; ``"all"`` has both.

    Args:
        inputs: how many capsules come in, and
        width: of how many numbers each.
        outputs: how many capsules go out, and
        out_width: of how many numbers each.
        iterations: of the routing, at least 1.
        through: as in :func:`routing_steps`.

    Raises:
        TlbookError: for fewer than one iteration, capsule or number a capsule, or inputs of another shape.

    Example:
        >>> CapsuleLayer(6, 4, outputs=3, out_width=5)(torch.randn(2, 6, 4)).shape
        torch.Size([2, 3, 5])
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        outputs: int,
        out_width: int,
        iterations: int = 3,
        through: Literal["last", "all"] = "last",
    ) -> None:
        super().__init__()
        _check_routing(iterations, through)
        sizes = {"inputs": inputs, "width": width, "outputs": outputs, "out_width": out_width}
        for name, size in sizes.items():
            check_whole(name, size, at_least=1)
        self.iterations, self.through = iterations, through
        self.weight = nn.Parameter(0.1 * torch.randn(outputs, width, inputs, out_width))

    def predictions(self, u: Tensor) -> Tensor:
        """û, batch × inputs × outputs × out_width, of capsules u, batch × inputs × width."""
        u_hat: Tensor = torch.einsum("bip,opid->biod", u, self.weight)
        return u_hat

    def forward(self, u: Tensor) -> Tensor:
        _, width, inputs, _ = self.weight.shape
        if u.shape[1:] != (inputs, width):
            raise TlbookError(
                f"the capsules have shape {tuple(u.shape)}; expected batch × {inputs} × {width}: the inputs and their "
                "width that the layer was made for"
            )
        with torch.autocast(u.device.type, enabled=False):  # a coupling is a soft-max of sums over iterations
            u = u.to(self.weight.dtype)
            if self.through == "all":
                return route(self.predictions(u), self.iterations, "all")
            v: Tensor = _Routed.apply(u.transpose(1, 2).contiguous(), self.weight, self.iterations)  # type: ignore[no-untyped-call]
            return v


class PrimaryCapsules(nn.Module):
    """The first capsules: a convolution whose channels are read as vectors, squashed.

    Args:
        channels: of the input.
        kinds: how many capsules at each place; 32 in the paper.
        width: of how many numbers each; 8.
        kernel: the side of the kernel; 9.
        stride: its step; 2.

    Raises:
        TlbookError: for a number below 1.

    Example:
        >>> PrimaryCapsules(256)(torch.zeros(2, 256, 20, 20)).shape  # 32 kinds at 6×6 places
        torch.Size([2, 1152, 8])
    """

    def __init__(self, channels: int, kinds: int = 32, width: int = 8, kernel: int = 9, stride: int = 2) -> None:
        super().__init__()
        sizes = {"channels": channels, "kinds": kinds, "width": width, "kernel": kernel, "stride": stride}
        for name, size in sizes.items():
            check_whole(name, size, at_least=1)
        self.width = width
        self.conv = nn.Conv2d(channels, kinds * width, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        s = self.conv(x).unflatten(1, (-1, self.width)).flatten(3)  # batch × kinds × width × places
        return squash(s.transpose(2, 3).flatten(1, 2))


class Lengths(nn.Module):
    """The length of each capsule, which stands for the presence of what it stands for: batch × K × d to batch × K.

    Example:
        >>> Lengths()(torch.tensor([[[3.0, 4.0], [0.0, 0.0]]]))
        tensor([[5., 0.]])
    """

    def forward(self, capsules: Tensor) -> Tensor:
        lengths: Tensor = torch.linalg.vector_norm(capsules, dim=2)
        return lengths
