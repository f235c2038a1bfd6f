"""Deep adaptation: ℓ = ℓ_c + λ ℓ_A, where ℓ_A is a distance between the domains' activations.

Two choices make a method: in which layers the activations shall agree, and what measures their distance. The four
methods here differ in nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tlbook._checks import check_number, shown
from tlbook.errors import TlbookError
from tlbook.losses import coral, cross_entropy, mk_mmd2, mmd2
from tlbook.methods._parts import both
from tlbook.methods.method import Batch, Method, Place

__all__ = ["DAN", "DDC", "DaNN", "DeepAdaptation", "DeepCORAL"]


class DeepAdaptation(Method):
    """Training that pays for the distance between the domains' activations: ℓ = ℓ_c + λ Σ_l ℓ_A(layer l).

    The subclasses say what :meth:`distance` is; ``layers`` says where it is measured. One forward pass holds both
    domains, source rows first; with plain batch normalisation their statistics would mix, so use
    ``nets.DomainBatchNorm`` or none.

    Args:
        features: a module from inputs N×… to features N×D.
        label_head: a module from features N×D to logits N×K.
        lam: λ, at least 0; with 0 it is source-only training, bit for bit.
        layers: the modules whose outputs shall agree, by their names in the method, such as ``"features"``,
            ``"label_head.fc1"`` or ``"label_head"`` (the logits). Outputs N×… are flattened to one row an example.

    Raises:
        TlbookError: when λ is below 0, no layer is named, or the method has no module of that name. In training, when
            a named layer is not used once and gives one tensor, or the rows of both domains differ in type or shape.
    """

    place = Place(target_labels="none", transfers=("features",), needs_target=True)

    def __init__(self, features: nn.Module, label_head: nn.Module, lam: float, layers: Sequence[str]) -> None:
        super().__init__(features, label_head)
        there = [name for name, _ in self.named_modules() if name]
        listed = isinstance(layers, Sequence) and not isinstance(layers, str)
        unknown = not listed or any(name not in there for name in layers)
        check_number("lam", lam, at_least=0, hint="0 is source-only training")
        if unknown or not layers:
            raise TlbookError(f"layers is {shown(layers)}; expected a list of names out of {there}")
        self.lam, self.layers = lam, tuple(layers)

    def distance(self, source: Tensor, target: Tensor) -> Tensor:
        """ℓ_A: how far apart the activations N×D of the source and M×D of the target are, a scalar."""
        raise NotImplementedError

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        n = len(source.x)
        logits, activations = self._activations(both(source.x, target.x))
        distances = [self.distance(a[:n], a[n:]) for a in activations]
        return {
            "label": cross_entropy(logits[:n], source.labels),  # ℓ_c
            "distance": self.lam * torch.stack(distances).sum(),  # λ ℓ_A
        }

    def _activations(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The logits, and what the layers gave out on the way to them."""
        found: dict[str, Tensor] = {}

        def keep(name: str, out: object) -> None:
            if not isinstance(out, Tensor) or out.dim() < 2 or name in found:
                form = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else f"a {type(out).__name__}"
                fault = "is used twice" if name in found else f"gives {form}"
                raise TlbookError(f"the layer {name} {fault}; expected a layer that gives one tensor N×…, once")
            found[name] = out.clone().flatten(1)  # a layer that works in place may come after it

        hooks = [
            self.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: keep(name, out))
            for name in self.layers
        ]
        try:
            logits = self(x)
        finally:
            for hook in hooks:
                hook.remove()
        if unused := [name for name in self.layers if name not in found]:
            raise TlbookError(f"the layers {unused} are not used; expected layers on the way to the logits")
        return logits, [found[name] for name in self.layers]


class DaNN(DeepAdaptation):
    """Domain adaptive neural networks (Ghifary, Kleijn and Zhang, PRICAI 2014): one hidden layer, one Gaussian kernel.

    ℓ_A is MMD² under exp(−‖x − y‖²/2σ²), with σ the median distance in the batch. The paper's network has one hidden
    layer and compares what enters its non-linearity: let ``features`` end in the linear layer, and ``label_head`` begin
    with the ReLU. The paper steps on ℓ_c by batches and on ℓ_A by the whole data; here one batch of each serves both.

    Args:
        features: as in :class:`DeepAdaptation`.
        label_head: as in :class:`DeepAdaptation`.
        lam: λ; MMD² lies between 0 and 2, small against ℓ_c, so that λ is large.
        layers: as in :class:`DeepAdaptation`.

    Example:
        >>> from tlbook import nets
        >>> hidden = nn.Sequential(nets.Pixels(), nn.Flatten(), nn.Linear(784, 256))
        >>> method = DaNN(hidden, nn.Sequential(nn.ReLU(), nn.Linear(256, 10)))
        >>> images = torch.zeros(4, 1, 28, 28, dtype=torch.uint8)
        >>> terms = method.losses(Batch(images, torch.tensor([0, 1, 2, 3])), Batch(images), progress=0.5)
        >>> {name: round(term.item(), 3) for name, term in terms.items() if name == "distance"}
        {'distance': 0.0}
    """

    def __init__(
        self, features: nn.Module, label_head: nn.Module, lam: float = 1000.0, layers: Sequence[str] = ("features",)
    ) -> None:
        super().__init__(features, label_head, lam, layers)

    def distance(self, source: Tensor, target: Tensor) -> Tensor:
        """MMD² under one Gaussian kernel, biased."""
        return mmd2(source, target)


class DDC(DeepAdaptation):
    """Deep domain confusion (Tzeng, Hoffman, Zhang, Saenko and Darrell, arXiv 1412.3474, 2014): the means shall agree.

    ℓ_A = ‖mean of φ(x_s) − mean of φ(x_t)‖² with φ the activations of one narrow *adaptation layer*:
    MMD² under the linear kernel. Other differences between the domains it does not see. In the paper the
    adaptation layer has 256 units and stands before the classifier: let ``features`` end in it.

    Args:
        features: as in :class:`DeepAdaptation`.
        label_head: as in :class:`DeepAdaptation`.
        lam: λ.
        layers: as in :class:`DeepAdaptation`.

    Example:
        >>> method = DDC(nn.Identity(), nn.Linear(2, 3), lam=1.0)
        >>> x = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
        >>> method.losses(Batch(x, torch.tensor([0, 1])), Batch(x + 2), progress=0.5)["distance"].item()  # 2² + 2²
        8.0
    """

    def __init__(
        self, features: nn.Module, label_head: nn.Module, lam: float = 0.25, layers: Sequence[str] = ("features",)
    ) -> None:
        super().__init__(features, label_head, lam, layers)

    def distance(self, source: Tensor, target: Tensor) -> Tensor:
        """The squared distance of the means."""
        return (source.mean(dim=0) - target.mean(dim=0)).square().sum()


class DAN(DeepAdaptation):
    """Deep adaptation networks (Long, Cao, Wang and Jordan, ICML 2015): many kernels, in several layers.

    ℓ_A is the MK-MMD² under five Gaussian kernels, summed over the layers of the label head: the
    deeper a layer, the more it belongs to its task and its domain.

    Two things differ from the paper, as in most code of it: the kernels weigh all alike, where the paper chooses β for
    the power of the test; and MK-MMD² is the biased estimate over all pairs of the batch, which is never below 0, where
    the paper takes the unbiased one over pairs that do not overlap (``losses.linear_mmd2``).

    Args:
        features: as in :class:`DeepAdaptation`.
        label_head: as in :class:`DeepAdaptation`.
        lam: λ.
        layers: as in :class:`DeepAdaptation`; the features and the logits if not given.

    Example:
        >>> from tlbook import nets
        >>> method = DAN(nets.conv_features(), nets.mlp(768, 100, 10), layers=["label_head.fc1", "label_head.fc2"])
        >>> images = torch.randint(256, (4, 3, 28, 28), dtype=torch.uint8)
        >>> method.losses(Batch(images, torch.tensor([0, 1, 2, 3])), Batch(images // 2), 0.5)["distance"].item() > 0
        True
    """

    def __init__(
        self,
        features: nn.Module,
        label_head: nn.Module,
        lam: float = 1.0,
        layers: Sequence[str] = ("features", "label_head"),
    ) -> None:
        super().__init__(features, label_head, lam, layers)

    def distance(self, source: Tensor, target: Tensor) -> Tensor:
        """MMD² under five Gaussian kernels, biased."""
        return mk_mmd2(source, target)


class DeepCORAL(DeepAdaptation):
    """Deep CORAL (Sun and Saenko, ECCV workshops 2016): the covariances of the class logits shall agree.

    ℓ_A = ‖C_S − C_T‖²_F / 4d², on the last layer. The paper's rule for λ: such that at the end of the
    training ℓ_c and λℓ_A are about equal; its authors' settings for six tasks lie four orders of magnitude apart.

    Args:
        features: as in :class:`DeepAdaptation`.
        label_head: as in :class:`DeepAdaptation`.
        lam: λ.
        layers: as in :class:`DeepAdaptation`; the logits if not given.

    Example:
        >>> method = DeepCORAL(nn.Identity(), nn.Identity(), lam=1.0)
        >>> x = torch.tensor([[0.0, 0.0], [2.0, 0.0]])  # a variance of 2, and none
        >>> method.losses(Batch(x, torch.tensor([0, 1])), Batch(2 * x), progress=0.5)["distance"].item()  # (2 − 8)²/16
        2.25
    """

    def __init__(
        self, features: nn.Module, label_head: nn.Module, lam: float = 1.0, layers: Sequence[str] = ("label_head",)
    ) -> None:
        super().__init__(features, label_head, lam, layers)

    def distance(self, source: Tensor, target: Tensor) -> Tensor:
        """The distance of the covariances."""
        return coral(source, target)
