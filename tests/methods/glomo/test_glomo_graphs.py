"""GLoMo's graphs against loops written from the paper: the squared ReLU, the columns, what is earlier, the products."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tlbook.errors import TlbookError
from tlbook.methods.glomo.graphs import CausalConvolutions, GraphPredictor, attention, causal_mask, control, products


def scores(rows: int = 2, length: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, 9, (rows, length), generator=generator)
    return torch.randn(rows, length, length, generator=generator, dtype=torch.float64), causal_mask(tokens)


def predictor(**how: object) -> GraphPredictor:
    torch.manual_seed(0)
    made = GraphPredictor(vocabulary=9, width=8, layers=2, heads=3, head_width=4, **how)  # type: ignore[arg-type]
    return made.double().eval()


# one graph


def test_the_sparse_graph_is_the_papers_double_loop() -> None:
    s, mask = scores()
    graph = attention(s, mask)
    for n in range(len(s)):
        for j in range(6):
            strength = [max(0.0, s[n, i, j].item()) ** 2 if i < j else 0.0 for i in range(6)]
            for i in range(6):
                expected = strength[i] / sum(strength) if sum(strength) else 0.0
                assert graph[n, i, j].item() == pytest.approx(expected, abs=1e-12)


def test_the_soft_graph_is_a_softmax_over_what_is_earlier() -> None:
    s, mask = scores()
    graph = attention(s, mask, "softmax")
    for n in range(len(s)):
        for j in range(6):
            strength = [math.exp(s[n, i, j].item()) for i in range(j)]
            expected = [each / sum(strength) for each in strength] + [0.0] * (6 - j)
            assert graph[n, :, j].tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("normalisation", ["sparse", "softmax"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_columns_sum_to_1_or_have_no_edge(normalisation: str, dtype: torch.dtype) -> None:
    s, mask = scores(rows=40)
    columns = attention(s.to(dtype), mask, normalisation).sum(dim=-2)  # type: ignore[arg-type]
    assert torch.all(((columns - 1).abs() < 1e-6) | (columns == 0))
    assert (columns[:, 0] == 0).all(), "nothing is earlier than the first word"
    assert (columns == 1).any()
    if normalisation == "sparse":
        assert (columns[:, 1] == 0).any(), "one score below 0 is no edge"


def test_edges_whose_score_is_below_0_are_not_there() -> None:
    s, mask = scores()
    assert torch.equal(attention(s, mask) > 0, mask & (s > 0))
    assert torch.equal(attention(s, mask, "softmax") > 0, mask)


@pytest.mark.parametrize("normalisation", ["sparse", "softmax"])
@pytest.mark.parametrize("value", [0.0, -1.0, 1e-30, 1e-9, 1e19, 1e30, 3e38])
def test_columns_of_any_size_are_whole_and_have_a_gradient(normalisation: str, value: float) -> None:
    _, mask = scores()
    s = torch.full((2, 6, 6), value, requires_grad=True)
    graph = attention(s, mask, normalisation)  # type: ignore[arg-type]
    (graph * torch.randn(2, 6, 6)).sum().backward()
    expected = control(graph, mask, "none" if normalisation == "sparse" and value <= 0 else "uniform")
    torch.testing.assert_close(graph, expected)
    assert s.grad is not None
    assert s.grad.isfinite().all()


@pytest.mark.parametrize("scale", [1e-44, 1e-30, 1e-9, 1e-8, 1.0, 1e19, 1e30])
def test_weights_do_not_depend_on_the_size_of_the_scores(scale: float) -> None:
    mask = causal_mask(torch.ones(1, 4, dtype=torch.int64))[0]
    s = torch.tensor([1.0, 3.0, -2.0]).mul(scale)[:, None].expand(3, 4)
    graph = attention(torch.cat([s, s[:1]]), mask)
    torch.testing.assert_close(graph[:, 1:].sum(dim=0), torch.ones(3))
    torch.testing.assert_close(graph[:, 3], torch.tensor([0.1, 0.9, 0.0, 0.0]))


@pytest.mark.parametrize("normalisation", ["sparse", "softmax"])
def test_the_gradient_in_float64(normalisation: str) -> None:
    s, mask = scores()
    assert torch.autograd.gradcheck(lambda x: attention(x, mask, normalisation), (s.requires_grad_(),))  # type: ignore[arg-type]


def test_what_fills_a_row_up_neither_listens_nor_is_heard() -> None:
    mask = causal_mask(torch.tensor([[3, 4, 0, 5, 0]]))
    assert mask[0].nonzero().tolist() == [[0, 1], [0, 3], [1, 3]]


# the predictor


def test_the_graphs_are_the_double_loop_over_keys_and_queries() -> None:
    graph, tokens = predictor(), torch.randint(1, 9, (2, 5), generator=torch.Generator().manual_seed(1))
    e = graph.embedding(tokens)
    word = tokens > 0
    keys, queries = graph.to_keys(graph.keys(e, word)), graph.to_queries(graph.queries(e, word))
    found = graph(tokens)
    assert found.shape == (2, 2, 3, 5, 5)
    for layer in range(2):
        for head in range(3):
            part = slice(4 * (3 * layer + head), 4 * (3 * layer + head) + 4)
            for j in range(5):
                s = [(keys[0, i, part] @ queries[0, j, part] + graph.b[layer, head]).item() for i in range(j)]
                strength = [max(0.0, each) ** 2 for each in s]
                for i, each in enumerate(strength):
                    expected = each / sum(strength) if sum(strength) else 0.0
                    assert found[0, layer, head, i, j].item() == pytest.approx(expected, abs=1e-10)


def test_the_convolutions_are_convolutions_that_look_back() -> None:
    torch.manual_seed(0)
    stack, x = CausalConvolutions(4, depth=1), torch.randn(2, 7, 4)
    conv = nn.Conv1d(4, 4, 3)
    with torch.no_grad():
        conv.weight.copy_(stack.convolutions[0].weight.view(4, 3, 4).permute(0, 2, 1))  # type: ignore[operator]
        conv.bias.copy_(stack.convolutions[0].bias)  # type: ignore[union-attr, arg-type]
    past = conv(nn.functional.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2)
    expected = nn.functional.layer_norm(past, (4,)).relu()
    torch.testing.assert_close(stack(x, torch.ones(2, 7, dtype=torch.bool)), expected)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("normalisation", ["sparse", "softmax"])
@pytest.mark.parametrize("positions", [0, 6])
def test_no_later_token_changes_a_column(training: bool, normalisation: str, positions: int) -> None:
    graph = predictor(normalisation=normalisation, positions=positions).train(training)
    tokens = torch.randint(1, 9, (3, 6), generator=torch.Generator().manual_seed(2))
    before = graph(tokens)
    for t in range(1, 6):
        other = tokens.clone()
        other[:, t] = 1 + tokens[:, t] % 8
        after = graph(other)
        torch.testing.assert_close(after[..., :t], before[..., :t], rtol=0, atol=0)
        assert t == 1 or not torch.equal(after[..., t], before[..., t])  # the second word has one to listen to
        assert (after.tril() == 0).all()


def test_a_predictor_that_knows_places_refuses_longer_rows() -> None:
    with pytest.raises(TlbookError, match=r"^rows have 6 tokens; expected at most positions = 5[^\n]*$"):
        predictor(positions=5)(torch.ones(1, 6, dtype=torch.int64))


def test_places_are_counted_from_the_first_word() -> None:
    graph = predictor(positions=9)
    tokens = torch.tensor([[0, 0, 3, 3, 4]])
    placed = graph.embed(tokens) - graph.embedding(tokens)
    torch.testing.assert_close(placed[0, 2:], graph.place.weight[:3])


def test_keys_and_queries_are_read_by_stacks_of_their_own() -> None:
    graph, x, word = predictor(), torch.randn(1, 5, 8).double(), torch.ones(1, 5, dtype=torch.bool)
    before = graph.queries(x, word)
    with torch.no_grad():
        for parameter in graph.keys.parameters():
            parameter.zero_()
    assert torch.equal(graph.queries(x, word), before)
    assert not graph.keys(x, word).any()


def test_at_the_start_nearly_every_edge_is_there() -> None:
    tokens = torch.randint(1, 9, (20, 12), generator=torch.Generator().manual_seed(5))
    mask = causal_mask(tokens)[:, None, None].expand(-1, 2, 3, -1, -1)
    assert (predictor()(tokens) > 0)[mask].double().mean() > 0.8


def test_places_tell_apart_what_words_cannot() -> None:
    same = torch.full((1, 6), 3)
    for positions, differ in ((0, False), (6, True)):
        column = predictor(positions=positions, depth=1)(same)[0, 0, 0, 2:5, 5]  # beyond the edge of the convolutions
        assert bool((column - column[0]).abs().max() > 1e-9) == differ


# products and controls


def test_the_product_is_the_graph_of_paths_and_carries_what_the_layers_carry() -> None:
    graphs = predictor()(torch.randint(1, 9, (2, 6), generator=torch.Generator().manual_seed(3)))
    found = products(graphs)
    assert torch.equal(found[:, 0], graphs[:, 0])
    f = torch.randn(6, 5, dtype=torch.float64)
    for head in range(3):
        one, two = graphs[0, 0, head], graphs[0, 1, head]
        carried = two.T @ (one.T @ f)  # layer 1, then layer 2
        torch.testing.assert_close(found[0, 1, head].T @ f, carried)
        for i in range(6):
            for j in range(6):
                paths = sum((one[i, k] * two[k, j]).item() for k in range(6))
                assert found[0, 1, head, i, j].item() == pytest.approx(paths, abs=1e-12)


def test_three_layers_are_multiplied_in_their_order() -> None:
    graphs = torch.rand(1, 3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = graphs[0, 0, 0] @ graphs[0, 1, 0] @ graphs[0, 2, 0]
    torch.testing.assert_close(products(graphs)[0, 2, 0], expected)


def test_the_uniform_graph_hears_all_that_is_earlier_alike() -> None:
    tokens = torch.tensor([[1, 2, 3, 0], [4, 5, 6, 7]])
    mask = causal_mask(tokens)[:, None, None]
    graph = control(torch.zeros(2, 2, 1, 4, 4), mask, "uniform")
    assert graph[0, 1, 0, :, 2].tolist() == [0.5, 0.5, 0, 0]
    assert graph[1, 1, 0, :, 3].tolist() == pytest.approx([1 / 3] * 3 + [0])
    assert not graph[0, :, :, :, 3].any()
    assert not graph[..., 0].any()


def test_the_random_graph_has_the_weights_of_every_column_at_other_allowed_places() -> None:
    tokens = torch.randint(1, 9, (4, 12), generator=torch.Generator().manual_seed(4))
    tokens[0, 9:] = 0
    graphs, mask = predictor()(tokens), causal_mask(tokens)[:, None, None]
    shuffled = control(graphs, mask, "random")
    assert torch.equal(shuffled.sort(dim=-2).values, graphs.sort(dim=-2).values)
    assert not shuffled.masked_select(~mask).any()
    assert not torch.equal(shuffled, graphs)
    assert torch.equal(control(graphs, mask, "random"), shuffled), "drawn once"
    assert torch.equal(control(graphs[1:2], mask[1:2], "random"), shuffled[1:2]), "whatever else is in the batch"
    mean = control(graphs.mean(dim=(1, 2)), mask[:, 0, 0], "random")
    torch.testing.assert_close(mean, shuffled.mean(dim=(1, 2)))  # one permutation for all layers and heads


def test_the_permutations_of_the_random_graph_are_these() -> None:
    mask = causal_mask(torch.tensor([[1, 2, 3, 4, 0]]))[0].mT  # backward, with a place that fills the row up
    graph = torch.rand(5, 5, generator=torch.Generator().manual_seed(1)) * mask
    stream = np.random.RandomState(0).random_sample(10).tolist()
    draws = {n: [stream.pop(0) for _ in range(n)] for n in range(5)}  # none for none, one for one, two for two, …
    expected = torch.zeros(5, 5)
    for j in range(5):
        own = [i for i in range(5) if mask[i, j]]
        for i, (_, other) in zip(own, sorted(zip(draws[len(own)], own, strict=True)), strict=True):
            expected[other, j] = graph[i, j]
    assert torch.equal(control(graph[None], mask[None], "random")[0], expected)


@pytest.mark.parametrize(("before", "after"), [(0, 3), (3, 0), (2, 5)])
@pytest.mark.parametrize("backward", [False, True])
def test_the_random_graph_of_a_sentence_does_not_depend_on_what_fills_its_row_up(before, after, backward) -> None:
    def shuffled(tokens: torch.Tensor, graph: torch.Tensor) -> torch.Tensor:
        mask = causal_mask(tokens)
        return control(graph, mask.mT if backward else mask, "random")

    tokens = torch.arange(1, 9)[None]
    graph = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(2)) * causal_mask(tokens)
    graph = graph.mT if backward else graph
    filled = shuffled(F.pad(tokens, (before, after)), F.pad(graph, (before, after, before, after)))
    assert torch.equal(filled, F.pad(shuffled(tokens, graph), (before, after, before, after)))


def test_no_graph_has_no_edge_and_the_learned_one_is_left_alone() -> None:
    s, mask = scores()
    graph = attention(s, mask)
    assert not control(graph, mask, "none").any()
    assert control(graph, mask, "learned") is graph
