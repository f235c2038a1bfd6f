"""Fine-tuning and its careful relatives: conservative training and layer transfer.

Here the knowledge of the source is already in the weights. What these methods call ``source`` in ``losses`` is the
labelled data they learn from, which is the target's few labelled examples; they use no unlabelled data.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from tlbook._checks import check_choice, check_list, check_number, shown
from tlbook.errors import TlbookError
from tlbook.losses import cross_entropy, distillation, l2_sp
from tlbook.methods.method import Batch, Method, Phase, Place

__all__ = ["L2SP", "FineTune", "LayerTransfer", "OutputConservative"]


class FineTune(Method):
    """Start from the source's features, put a new head on top, train on the target's labels.

    The given features are copied: what was trained on the source stays as it was. Frozen features do not learn in
    :func:`tlbook.fit`: they rest whole, in evaluation mode, so that batch normalisation keeps the source's statistics,
    which no ``requires_grad`` protects, and dropout is off. A layer that was frozen before stays so in either case.

    Args:
        features: features trained on the source, N×… to N×D.
        label_head: a head for the target's classes, N×D to N×K.
        frozen: True trains the head alone ("feature extraction").

    Example:
        >>> from tlbook import nets
        >>> method = FineTune(nets.conv_features(), nets.mlp(768, 10), frozen=True)
        >>> method.phases()[0].learns == (method.label_head,)
        True
    """

    place = Place(target_labels="few", transfers=("models",))

    def __init__(self, features: nn.Module, label_head: nn.Module, frozen: bool = False) -> None:
        check_choice("frozen", frozen, (True, False))
        super().__init__(copy.deepcopy(features), label_head)
        self.frozen = frozen

    def phases(self) -> tuple[Phase, ...]:
        """One phase, in which the head learns, and the features where they are not frozen."""
        learns = (self.label_head,) if self.frozen else (self.features, self.label_head)
        return (Phase("training", self.losses, learns),)

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        return {"label": cross_entropy(self(source.x), source.labels)}


class L2SP(FineTune):
    """Fine-tuning whose weights are held near where they started (Li, Grandvalet and Davoine, ICML 2018, eq. 2).

    Ω(w) = α/2 ‖w_S − w_S⁰‖² + β/2 ‖w_new‖²: the transferred weights are pulled towards the source's, the new head
    towards zero.

    Args:
        features: features trained on the source, N×… to N×D.
        label_head: a new head, N×D to N×K; ``nn.Identity()`` where the whole source model is given as features.
        alpha: the pull towards the source's weights, at least 0.
        beta: the pull of the new head towards zero, at least 0; the paper takes 0.01.

    Raises:
        TlbookError: when α or β is below 0.

    Example:
        >>> from tlbook import nets
        >>> method = L2SP(nets.conv_features(), nets.mlp(768, 10), alpha=0.1)
        >>> batch = Batch(torch.zeros(2, 3, 28, 28, dtype=torch.uint8), torch.tensor([0, 1]))
        >>> method.losses(batch, Batch(batch.x[:0]), progress=0.0)["start"].item()  # nothing has moved yet
        0.0
    """

    def __init__(self, features: nn.Module, label_head: nn.Module, alpha: float, beta: float = 0.01) -> None:
        check_number("alpha", alpha, at_least=0, hint="0 is plain fine-tuning")
        check_number("beta", beta, at_least=0, hint="0 leaves the new head alone")
        super().__init__(features, label_head)
        self.alpha, self.beta = alpha, beta
        self.start = copy.deepcopy(features).requires_grad_(False)

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        new = sum((w.square().sum() for w in self.label_head.parameters()), torch.zeros(()))
        return {
            "label": cross_entropy(self(source.x), source.labels),
            "start": self.alpha * l2_sp(self.features, self.start),
            "head": self.beta / 2 * new,
        }


class OutputConservative(FineTune):
    """Fine-tuning whose outputs are held near the source model's on the same inputs.

    L = (1 − ρ)·L_y + ρ·T²·KL(source model ‖ model). With T = 1 this is, up to a constant, cross-entropy with the
    target (1 − ρ)·hard label + ρ·source model's output: the KL-regularised adaptation of Yu et al. (ICASSP 2013);
    with another T it is distillation, T² included (Hinton, Vinyals and Dean, 2015). Source and target must
    have the same classes, since the source model's own head is carried on.

    Args:
        source_model: the method trained on the source; it is copied twice, once to go on and once to stay.
        rho: the weight of the source model's opinion, 0 … 1.
        temperature: T > 0.

    Raises:
        TlbookError: when ρ is outside 0 … 1, or T not above 0.

    Example:
        >>> from tlbook import nets
        >>> from tlbook.methods import SourceOnly
        >>> before = SourceOnly(nets.conv_features(), nets.mlp(768, 10))
        >>> method = OutputConservative(before, rho=0.5)
        >>> batch = Batch(torch.zeros(2, 3, 28, 28, dtype=torch.uint8), torch.tensor([0, 1]))
        >>> method.losses(batch, Batch(batch.x[:0]), progress=0.0)["output"].item()  # still the source model
        0.0
    """

    def __init__(self, source_model: Method, rho: float, temperature: float = 1.0) -> None:
        check_number("rho", rho, at_least=0, at_most=1, hint="0 is plain fine-tuning, 1 keeps the source model")
        check_number("temperature", temperature, above=0, hint="1 leaves the outputs as they are")
        _check_model(source_model)
        super().__init__(source_model.features, copy.deepcopy(source_model.label_head))
        self.source_model = copy.deepcopy(source_model).requires_grad_(False)
        self.rho, self.temperature = rho, temperature

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        logits = self(source.x)
        before = self.source_model(source.x)
        return {
            "label": (1 - self.rho) * cross_entropy(logits, source.labels),
            "output": self.rho * distillation(logits, before, self.temperature),
        }


class LayerTransfer(Method):
    """Copy some layers of a trained network, start the others anew (Yosinski et al., NIPS 2014).

    With the network seen as a list of layers, features first and head last, the layers named in ``copied`` come
    from the source model; the rest is initialised again. Frozen copies give the paper's AnB (or BnB where both
    networks saw the same data), trained ones AnB⁺ (BnB⁺). Frozen copies do not learn in :func:`tlbook.fit`: batch
    normalisation keeps the source's statistics and dropout is off. A copied layer that was frozen before stays so.

    Args:
        source_model: the trained method; it is copied.
        copied: the names of the layers to copy, as given by :meth:`layers`.
        frozen: whether the copied layers stay as they are.

    Raises:
        TlbookError: for a name that the network does not have, a network whose layers have no names of their own,
            or a layer that cannot be initialised again.

    Example:
        >>> from tlbook import nets
        >>> from tlbook.methods import SourceOnly
        >>> base = SourceOnly(nets.conv_features(), nets.mlp(768, 100, 10))
        >>> list(LayerTransfer.layers(base))
        ['conv1', 'conv2', 'fc1', 'fc2']
        >>> method = LayerTransfer(base, copied=["conv1"], frozen=True)
        >>> torch.equal(method.features.conv1[0].weight, base.features.conv1[0].weight)
        True
        >>> torch.equal(method.features.conv2[0].weight, base.features.conv2[0].weight)
        False
    """

    place = Place(target_labels="few", transfers=("models",))

    def __init__(self, source_model: Method, copied: list[str], frozen: bool = True) -> None:
        check_choice("frozen", frozen, (True, False))
        _check_model(source_model)
        super().__init__(copy.deepcopy(source_model.features), copy.deepcopy(source_model.label_head))
        layers = self.layers(self)
        copied = check_list("copied", copied, f"a list of names out of {list(layers)}")
        if unknown := [name for name in copied if not isinstance(name, str) or name not in layers]:
            raise TlbookError(
                f"copied names {shown(unknown)}; expected some of {list(layers)}: ask LayerTransfer.layers(model)"
            )
        self.frozen = tuple(copied) if frozen else ()
        for name, layer in layers.items():
            if name not in copied:
                layer.apply(_start_anew)

    @staticmethod
    def layers(model: Method) -> dict[str, nn.Module]:
        """The layers that hold parameters, by name, from the input to the output.

        They are the named children of the features and of the label head; a part without children is one layer,
        called ``features`` or ``label_head``.

        Raises:
            TlbookError: when both parts have a layer of the same name, or a parameter belongs to no layer.
        """
        parts = {"features": model.features, "label_head": model.label_head}
        named = [layer for name, part in parts.items() for layer in list(part.named_children()) or [(name, part)]]
        named = [(name, layer) for name, layer in named if any(True for _ in layer.parameters())]
        layers = dict(named)
        if len(layers) < len(named):
            raise TlbookError(
                f"the network's layers are called {[name for name, _ in named]}; expected each name once: "
                "build the features or the head as nn.Sequential(OrderedDict(…)) with names of its own"
            )
        inside = {id(w) for layer in layers.values() for w in layer.parameters()}
        for part_name, part in parts.items():
            for name, w in part.named_parameters():
                if id(w) not in inside:
                    raise TlbookError(
                        f"parameter {part_name}.{name} belongs to none of the layers {list(layers)}; expected every "
                        "parameter inside a named child: wrap it in a module"
                    )
        return layers

    def phases(self) -> tuple[Phase, ...]:
        """One phase, in which all layers learn but the frozen ones."""
        parts = [part for whole in (self.features, self.label_head) for part in list(whole.children()) or [whole]]
        frozen = [self.layers(self)[name] for name in self.frozen]
        return (Phase("training", self.losses, tuple(part for part in parts if part not in frozen)),)

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        return {"label": cross_entropy(self(source.x), source.labels)}


def _check_model(source_model: object) -> None:
    if not isinstance(source_model, Method):
        raise TlbookError(
            f"source_model is {shown(source_model)}; expected a trained method: wrap a network of your own as "
            "SourceOnly(features, label_head)"
        )


def _start_anew(module: nn.Module) -> None:
    """New parameters for a layer; what was frozen in the old one is not in the new one."""
    for p in module.parameters(recurse=False):
        p.requires_grad = True
    if callable(reset := getattr(module, "reset_parameters", None)):
        reset()
    elif any(True for _ in module.parameters(recurse=False)):
        raise TlbookError(
            f"{type(module).__name__} has parameters but no reset_parameters(); expected a layer that can be "
            "initialised again: give it that method, or copy the layer"
        )
