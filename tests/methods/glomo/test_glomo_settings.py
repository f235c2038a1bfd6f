"""What GLoMo's parts say, in one line, of settings, tokens, rows and networks that mean nothing; and their defaults."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.every_method import tokens
from tlbook import fit, nets
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods import Batch, GLoMo, GraphLearner
from tlbook.methods.glomo.graphs import CausalConvolutions, GraphPredictor, attention, control
from tlbook.methods.glomo.learner import FeaturePredictor
from tlbook.methods.glomo.transfer import GraphFeatures, GraphReader, MaxOverTime

LINE = r"^[^\n]+; expected [^\n]+$"
SIZES: dict[str, tuple[Callable[..., object], dict[str, Any]]] = {
    "CausalConvolutions": (CausalConvolutions, {"width": 4, "depth": 1}),
    "GraphPredictor": (
        GraphPredictor,
        {"vocabulary": 9, "width": 4, "layers": 1, "heads": 1, "head_width": 4, "depth": 1},
    ),
    "FeaturePredictor": (FeaturePredictor, {"vocabulary": 9, "width": 4, "heads": 1}),
    "GraphLearner": (
        GraphLearner,
        {
            "vocabulary": 9,
            "width": 4,
            "layers": 1,
            "heads": 1,
            "head_width": 4,
            "depth": 1,
            "context": 1,
            "sampled": 1,
        },
    ),
    "MaxOverTime": (MaxOverTime, {"width": 4, "outputs": 4, "kernel": 3}),
    "GraphReader": (
        lambda **how: GraphReader(nn.Embedding(9, 4), encoder=nn.Flatten(), **how),
        {"layers": 1, "heads": 1, "width": 4},
    ),
    "GLoMo": (lambda **how: glomo(**how), {"width": 4}),
}


def learner(**how: Any) -> GraphLearner:
    torch.manual_seed(0)
    return GraphLearner(**({"vocabulary": 9, "width": 8} | how))


def glomo(**how: Any) -> GLoMo:
    parts = {"learner": learner(), "embedding": nn.Embedding(9, 4), "encoder": nn.Flatten(), "width": 4}
    return GLoMo(**(parts | {"label_head": nets.mlp(24, 3)} | how))


def batches() -> tuple[Batch, Batch]:
    source, target = tokens(), tokens("more tokens", labelled=False)
    return Batch(source.x[:5], source.y[:5]), Batch(target.x[:5])  # type: ignore[index]


# settings


@pytest.mark.parametrize(("name", "size"), [(name, size) for name, (_, sizes) in SIZES.items() for size in sizes])
def test_a_size_is_a_whole_number_from_1_on(name: str, size: str) -> None:
    build, usual = SIZES[name]
    build(**usual)
    for wrong in (0, -1, 2.5, math.nan, math.inf, "4", None, True):
        with pytest.raises(TlbookError, match=rf"^{size} is [^\n]+; expected a whole number, at least 1$"):
            pytest.fail(f"{name} took {size} = {wrong!r}: {build(**(usual | {size: wrong}))}")


@pytest.mark.parametrize("build", [learner, lambda **how: GraphPredictor(9, 4, 1, 1, **how)])
def test_places_are_a_whole_number_from_0_on(build: Callable[..., object]) -> None:
    for wrong in (-1, 2.5, math.nan, math.inf, "4", None, False):
        with pytest.raises(TlbookError, match=r"^positions is [^\n]+; expected a whole number, at least 0: [^\n]+$"):
            build(positions=wrong)


def test_graphs_that_grow_out_of_the_features_take_no_places() -> None:
    with pytest.raises(TlbookError, match=r"^positions is 6; expected 0: graphs that grow out of the features [^\n]+$"):
        learner(decoupled=False, positions=6)
    learner(decoupled=False)


CHOICES: dict[str, tuple[Callable[[Any], object], str, str]] = {
    "attention": (lambda v: attention(torch.ones(2, 2), torch.ones(2, 2) > 0, v), "normalisation", "sparse"),
    "GraphPredictor": (lambda v: GraphPredictor(9, 4, 1, 1, normalisation=v), "normalisation", "softmax"),
    "GraphLearner": (lambda v: learner(normalisation=v), "normalisation", "softmax"),
    "control": (lambda v: control(torch.ones(2, 2), torch.ones(2, 2) > 0, v), "kind", "uniform"),
    "learner's graph": (lambda v: learner(graph=v), "graph", "uniform"),
    "features' graph": (lambda v: GraphFeatures(learner(), nn.Identity(), v), "graph", "random"),  # type: ignore[arg-type]
    "GLoMo's graph": (lambda v: glomo(graph=v), "graph", "learned"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_a_word_that_is_no_choice_is_told_its_neighbour(name: str) -> None:
    build, argument, word = CHOICES[name]
    build(word)
    misspelt = word[:-1]
    with pytest.raises(TlbookError, match=rf"^{argument} is '{misspelt}'; expected [^\n]+: did you mean '{word}'\?$"):
        build(misspelt)
    for wrong in ("", None, 1, math.nan, [word]):
        with pytest.raises(
            TlbookError, match=rf"^{argument} is [^\n]+; expected 'sparse' or |^{argument} is [^\n]+'none'$"
        ):
            build(wrong)


def test_coupled_or_not_is_true_or_false() -> None:
    for wrong in (0, 1, None, "no"):
        with pytest.raises(TlbookError, match=r"^decoupled is [^\n]+; expected True or False$"):
            learner(decoupled=wrong)


def test_a_share_is_a_number_from_0_to_1() -> None:
    for wrong in (-0.1, 1.1, math.nan, math.inf, "half", None, True):
        with pytest.raises(
            TlbookError, match=r"^share is [^\n]+; expected a number, at least 0 and at most 1: [^\n]+$"
        ):
            glomo(share=wrong)


def test_a_width_that_the_heads_cannot_share_is_one_line() -> None:
    for build in (lambda: FeaturePredictor(9, 9, 2), lambda: learner(width=9)):
        with pytest.raises(TlbookError, match=r"^width is 9 for 2 heads; expected a multiple of the heads$"):
            build()


def test_a_sentence_encoder_reads_as_far_back_as_ahead() -> None:
    for kernel in (2, 4):
        with pytest.raises(TlbookError, match=rf"^kernel is {kernel}; expected an odd number: [^\n]+$"):
            MaxOverTime(4, 4, kernel)
    assert MaxOverTime(4, 5, kernel=1)(torch.ones(2, 3, 4)).shape == (2, 5)


def test_a_learner_is_a_graph_learner() -> None:
    for wrong in (glomo(), nn.Identity(), None):
        with pytest.raises(
            TlbookError, match=rf"^learner is a {type(wrong).__name__}; expected a GraphLearner: [^\n]+$"
        ):
            glomo(learner=wrong)


def defaults(of: Callable[..., object]) -> dict[str, object]:
    given = inspect.signature(of).parameters.values()
    return {p.name: p.default for p in given if p.default is not inspect.Parameter.empty}


@pytest.mark.parametrize(
    ("of", "values"),
    [
        (attention, {"normalisation": "sparse"}),
        (control, {}),
        (CausalConvolutions, {}),
        (GraphPredictor, {"head_width": 16, "depth": 2, "normalisation": "sparse", "positions": 0}),
        (
            GraphLearner,
            {"width": 32, "layers": 2, "heads": 2, "head_width": 16, "depth": 2, "context": 3, "sampled": 20}
            | {"normalisation": "sparse", "decoupled": True, "positions": 0, "graph": "learned"},
        ),
        (MaxOverTime, {"kernel": 3}),
        (GraphReader, {}),
        (GraphFeatures, {}),
        (GLoMo, {"share": 0.5, "graph": "learned"}),
    ],
)
def test_the_defaults(of: Callable[..., object], values: dict[str, object]) -> None:
    assert defaults(of) == values


def test_a_setting_of_the_learner_reaches_the_part_that_it_names() -> None:
    made = learner(width=6, layers=3, heads=2, head_width=5, depth=4, context=2, sampled=7, positions=11)
    assert (made.vocabulary, made.layers, made.heads, made.context, made.sampled) == (9, 3, 2, 2, 7)
    for direction in (made.ahead, made.back):
        graph = direction.graph
        assert graph.to_keys.weight.shape == graph.to_queries.weight.shape == (3 * 2 * 5, 6)
        assert graph.to_keys.bias is graph.to_queries.bias is None
        assert graph.b.shape == (3, 2)
        assert torch.equal(graph.b, torch.ones(3, 2))
        assert graph.place.weight.shape == (11, 6)
        assert len(graph.keys.convolutions) == len(graph.queries.convolutions) == 4
        assert direction.features.embedding.weight.shape == graph.embedding.weight.shape == (9, 6)
    assert not hasattr(learner().ahead.graph, "place")


# tokens


@pytest.mark.parametrize(
    "ask",
    [
        lambda x: learner().tokens(x),
        lambda x: learner().graphs(x),
        lambda x: learner().losses(x),
        lambda x: learner().ahead.graph(x),
        lambda x: glomo().features(x),
    ],
    ids=["tokens", "graphs", "losses", "predictor", "features"],
)
@pytest.mark.parametrize(
    ("x", "said"),
    [
        (torch.tensor([[1, 2, 9, 3, 4, 5]]), "has the token 9"),
        (torch.tensor([[1, 2, 3, 4, 5, 1], [1, 2, 400, -1, 3, 4]], dtype=torch.int16), "has the token 400"),
        (torch.tensor([[1, 2, 250, 3, 4, 5]], dtype=torch.uint8), "has the token 250"),
        (torch.tensor([[1, -1, 9, 3, 4, 5]]), "has the token -1"),
        (torch.ones(1, 6), "is torch.float32"),
        (torch.full((1, 6), math.nan, dtype=torch.float64), "is torch.float64"),
        (torch.ones(1, 6, dtype=torch.bool), "is torch.bool"),
        (torch.ones(1, 6, dtype=torch.complex64), "is torch.complex64"),
        (torch.ones(6, dtype=torch.int64), r"has shape \(6,\)"),
        (torch.ones(2, 3, 4, dtype=torch.int64), r"has shape \(2, 3, 4\)"),
        (torch.ones(2, 0, dtype=torch.int64), r"has shape \(2, 0\)"),
        (torch.tensor(3), r"has shape \(\)"),
        ([[1, 2, 3, 4, 5, 6]], "is a list"),
        (None, "is a NoneType"),
    ],
)
def test_what_is_no_row_of_the_vocabularys_tokens_is_one_line(ask: Callable[[Any], object], x: Any, said: str) -> None:
    with pytest.raises(TlbookError, match=rf"^x {said}; expected tokens N×T, integers from 0 to 8: [^\n]+$"):
        ask(x)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_tokens_may_be_integers_of_any_type(dtype: torch.dtype) -> None:
    made = GraphLearner(300, width=8)
    x = torch.tensor([[0, 8, 3, 127, 5, 0]], dtype=dtype)
    assert made.tokens(x).dtype == torch.int64
    assert torch.equal(made.graphs(x), made.graphs(x.long()))
    assert learner().tokens(torch.tensor([[0, 8]], dtype=dtype)).tolist() == [[0, 8]], "the first and the last"


# rows of two domains, and what is frozen, given or missing


@pytest.mark.parametrize(
    "change", [lambda x: x.int(), lambda x: x[:, :5], lambda x: x[:0], lambda x: x.tolist(), lambda x: x.to("meta")]
)
def test_the_rows_of_both_domains_fit_together(change: Callable[[Tensor], Any]) -> None:
    source, target = batches()
    made = glomo()
    for s, t in ((source, Batch(change(target.x))), (Batch(change(source.x), source.y), target)):
        with pytest.raises(TlbookError, match=LINE):
            made.graph_losses(s, t, 0.5)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_task_without_labels_fails_before_the_first_step(share: float) -> None:
    source, target = tokens(labelled=False), tokens("more tokens", labelled=False)
    made = glomo(share=share)
    before = {key: value.clone() for key, value in made.state_dict().items()}
    with pytest.raises(TlbookError, match=r"^source 'tokens' has no labels; expected a labelled domain: [^\n]+$"):
        fit(made, source, target, steps=4, batch_size=8)
    assert all(torch.equal(value, before[key]) for key, value in made.state_dict().items())
    fit(glomo(share=1.0), source, target, steps=1, batch_size=8)


class Gives(nn.Module):
    """An encoder or embedding that gives what it has in some other form."""

    def __init__(self, part: nn.Module, form: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.part, self.form = part, form

    def forward(self, x: Tensor) -> Any:
        return self.form(self.part(x))


FORMS: list[Callable[[Tensor], Any]] = [
    lambda f: (f, f),
    lambda f: {"out": f},
    lambda f: f[:-1],
    lambda f: f[0],
    lambda f: f[:, :5],
    lambda f: f[..., None],
]


@pytest.mark.parametrize("form", FORMS)
def test_an_encoder_in_another_form_is_one_line(form: Callable[[Tensor], Any]) -> None:
    made, (source, target) = glomo(encoder=Gives(nn.Flatten(), form)), batches()
    for ask in (lambda: made(source.x), lambda: made.losses(source, target, 0.5)):
        with pytest.raises(TlbookError, match=r"^the features (are|have) [^\n]+; expected [^\n]+$"):
            ask()


@pytest.mark.parametrize("form", FORMS)
def test_an_embedding_in_another_form_is_one_line(form: Callable[[Tensor], Any]) -> None:
    made, (source, _) = glomo(embedding=Gives(nn.Embedding(9, 4), form)), batches()
    with pytest.raises(TlbookError, match=r"^the (features|embedding) (are|have|gives) [^\n]+; expected [^\n]+$"):
        made(source.x)


def test_the_error_names_the_part_that_gives_a_tuple() -> None:
    source, _ = batches()
    for how in ({"encoder": nn.GRU(4, 24, batch_first=True)}, {"embedding": Gives(nn.Embedding(9, 4), lambda f: (f,))}):
        name = type(next(iter(how.values()))).__name__
        with pytest.raises(TlbookError, match=rf"^the features are a tuple; [^\n]+, in a module around {name}$"):
            glomo(**how)(source.x)


@pytest.mark.parametrize("width", [3, 5])
def test_an_embedding_of_another_width_is_one_line(width: int) -> None:
    wrapped = nn.Sequential(nn.Embedding(9, width))
    made = glomo(embedding=wrapped)
    with pytest.raises(TlbookError, match=rf"^the embedding gives \(5, 6, {width}\) [^\n]+; expected N×T×4: [^\n]+$"):
        made(batches()[0].x)


def test_text_with_an_unknown_word_is_one_line() -> None:
    source, text = tokens(), Domain("text", tokens().x + 5, None, tokens().classes)
    with pytest.raises(TlbookError, match=r"^x has the token \d+; expected tokens N×T, integers from 0 to 8: [^\n]+$"):
        fit(glomo(), source, text, steps=4, batch_size=8)
