"""Learning the graph: what is foretold, from where, which way, and which network hears of it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from tlbook.errors import TlbookError
from tlbook.methods import GraphLearner
from tlbook.methods.glomo.graphs import causal_mask, control
from tlbook.methods.glomo.learner import Decoder, FeaturePredictor, mean_surprise

SMALL: dict[str, Any] = {"vocabulary": 9, "width": 8, "layers": 2, "heads": 2, "head_width": 4, "depth": 1}


def learner(**how: Any) -> GraphLearner:
    torch.manual_seed(0)
    return GraphLearner(**(SMALL | how)).double()


def rows(count: int = 3, length: int = 7, seed: int = 1) -> Tensor:
    return torch.randint(1, 9, (count, length), generator=torch.Generator().manual_seed(seed))


class Recorded(nn.Module):
    """A decoder that writes down what it is asked."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder, self.asked = decoder, list[tuple[Tensor, Tensor]]()

    def forward(self, f: Tensor, tokens: Tensor) -> Tensor:
        self.asked.append((f, tokens))
        logits: Tensor = self.decoder(f, tokens)
        return logits


# the features


def test_features_are_the_loop_of_messages_through_a_gru_that_all_layers_share() -> None:
    made = learner().ahead
    x = rows()
    graphs, f = made(x)
    cell, value = made.features.gru, made.features.value.weight
    state = made.features.embedding(x)[0]
    for layer in range(2):
        messages = torch.zeros(7, 8, dtype=torch.float64)
        for j in range(7):
            for head in range(2):
                part = slice(4 * head, 4 * head + 4)
                for i in range(7):
                    messages[j, part] += graphs[0, layer, head, i, j] * (value @ state[i])[part]
        state = cell(torch.cat([messages * state, messages], dim=1), state)
    torch.testing.assert_close(f[0], state)


def test_the_first_features_are_the_feature_predictors_own_embeddings() -> None:
    made, x = learner().ahead, rows()
    with torch.no_grad():
        made.graph.b.fill_(-1e6)  # no edge: nothing but the gru's own motion
    _, f = made(x)
    state, nothing = made.features.embedding(x).flatten(0, 1), torch.zeros(21, 16, dtype=torch.float64)
    for _ in range(2):
        state = made.features.gru(nothing, state)
    torch.testing.assert_close(f.flatten(0, 1), state)
    assert made.graph.embedding is not made.features.embedding


def test_the_two_networks_share_no_weight_and_the_directions_none_either() -> None:
    made = learner()
    parts = [part for d in (made.ahead, made.back) for part in (d.graph, nn.ModuleList([d.features, d.decoder]))]
    owned = [{id(p) for p in part.parameters()} for part in parts]
    assert sum(map(len, owned)) == len(set().union(*owned)) == len(list(made.parameters()))


def test_another_word_for_the_features_leaves_the_graph_alone() -> None:
    made, x = learner(), rows()
    before = made.graphs(x)
    with torch.no_grad():
        for direction in (made.ahead, made.back):
            direction.features.embedding.weight.add_(1)
    assert torch.equal(made.graphs(x), before)


def test_coupled_graphs_grow_out_of_the_features() -> None:
    made, x = learner(decoupled=False), rows()
    before = made.graphs(x)
    graphs, _ = made.ahead(x)
    assert torch.equal(before[:, 0], graphs)
    first = made.ahead.features.embedding(x)
    torch.testing.assert_close(graphs[:, 0], made.ahead.graph.connect(first, x)[:, 0])
    after = made.ahead.features(first, graphs[:, 0])
    torch.testing.assert_close(graphs[:, 1], made.ahead.graph.connect(after, x)[:, 1])
    graphs[:, 1].square().sum().backward()
    assert made.ahead.features.gru.weight_ih.grad is not None, "the second graph teaches the features it grew out of"
    with torch.no_grad():
        made.ahead.features.embedding.weight.mul_(2)
    assert not torch.allclose(made.graphs(x)[:, 0], before[:, 0])
    torch.testing.assert_close(made.graphs(x)[:, 1], before[:, 1])


@pytest.mark.parametrize("kind", ["uniform", "random", "none"])
@pytest.mark.parametrize("decoupled", [True, False])
def test_another_kind_of_graph_carries_the_features_instead(kind: Any, decoupled: bool) -> None:
    made, x = learner(graph=kind, decoupled=decoupled), rows()
    graphs, f = made.ahead(x)
    own, mask = made.ahead.graph, causal_mask(x)[:, None, None]
    state = made.ahead.features.embedding(x)
    for layer in range(2):
        predicted = own(x) if decoupled else own.connect(state, x)
        torch.testing.assert_close(graphs[:, layer], control(predicted, mask, kind)[:, layer])
        state = made.ahead.features(state, graphs[:, layer])
    torch.testing.assert_close(f, state)
    assert torch.equal(made.graphs(x)[:, 0], graphs)


# rows that are filled up


@pytest.mark.parametrize(("decoupled", "positions"), [(True, 0), (True, 12), (False, 0)])
@pytest.mark.parametrize("normalisation", ["sparse", "softmax"])
def test_what_fills_a_row_up_changes_neither_graphs_nor_features(
    decoupled: bool, normalisation: str, positions: int
) -> None:
    made, x = learner(decoupled=decoupled, normalisation=normalisation, positions=positions, depth=3), rows()
    x[1, 5:] = 0  # filled up already
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1)  # biases too: those of a layer normalisation start at 0
    filled = nn.functional.pad(x, (0, 5))
    graphs = made.graphs(filled)
    torch.testing.assert_close(graphs[..., :7, :7], made.graphs(x), rtol=0, atol=1e-6)
    assert (graphs > 0).sum() == (graphs[..., :7, :7] > 0).sum()
    torch.testing.assert_close(made.ahead(filled)[1][:, :7], made.ahead(x)[1], rtol=0, atol=1e-6)
    torch.testing.assert_close(made.back(filled.flip(1))[1][:, 5:], made.back(x.flip(1))[1], rtol=0, atol=1e-6)


# causality


@pytest.mark.parametrize("decoupled", [True, False])
@pytest.mark.parametrize("normalisation", ["sparse", "softmax"])
def test_no_later_token_reaches_the_features_or_the_first_guess(decoupled: bool, normalisation: str) -> None:
    made, x = learner(decoupled=decoupled, normalisation=normalisation).train(), rows()
    graphs, f = made.ahead(x)
    for t in range(1, 7):
        other = x.clone()
        other[:, t] = 1 + x[:, t] % 8
        new_graphs, new_f = made.ahead(other)
        torch.testing.assert_close(new_f[:, :t], f[:, :t], rtol=0, atol=0)
        torch.testing.assert_close(new_graphs[..., :t], graphs[..., :t], rtol=0, atol=0)
        assert not torch.allclose(new_f[:, t], f[:, t])


def test_the_backward_graph_is_that_of_the_row_read_from_its_end() -> None:
    made, x = learner(), rows()
    found = made.graphs(x)
    assert found.shape == (3, 2, 2, 2, 7, 7)
    torch.testing.assert_close(found[:, 0], made.ahead.graph(x))
    turned = made.back.graph(x.flip(1))
    for i in range(7):
        for j in range(7):
            torch.testing.assert_close(found[:, 1, :, :, i, j], turned[:, :, :, 6 - i, 6 - j])
    assert (found[:, 0].tril() == 0).all()
    assert (found[:, 1].triu() == 0).all()
    assert (found[:, 1] > 0).any()


# the objective


def test_what_is_foretold_are_the_next_tokens_and_none_other() -> None:
    made = learner(context=3, sampled=99)
    x = torch.arange(1, 9).expand(2, 8)  # the token at position p is p + 1
    made.ahead.decoder = Recorded(made.ahead.decoder)  # type: ignore[assignment]
    made.back.decoder = Recorded(made.back.decoder)  # type: ignore[assignment]
    seen: list[Tensor] = []
    surprise = mean_surprise

    def watch(logits: Tensor, said: Tensor) -> Tensor:
        seen.append(said)
        return surprise(logits, said)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tlbook.methods.glomo.learner.mean_surprise", watch)
        made.losses(x)
    for direction, step, said in ((made.ahead, 1, seen[0]), (made.back, -1, seen[1])):
        [(f, tokens)] = direction.decoder.asked  # type: ignore[misc, union-attr]
        _, features = direction(x if step == 1 else x.flip(1))
        assert len(said) == 2 * 5, "every position that has three tokens after it"
        assert sorted(said[:5, 0].tolist()) == ([1, 2, 3, 4, 5] if step == 1 else [4, 5, 6, 7, 8])
        for row, start in enumerate(said[:, 0].tolist()):
            assert said[row].tolist() == [start + step * d for d in range(4)]
            assert tokens[row].tolist() == said[row, :3].tolist()
            place = start - 1 if step == 1 else 8 - start
            torch.testing.assert_close(f[row], features[row // 5, place])


def test_the_loss_is_half_the_mean_of_the_log_probabilities_written_as_a_loop() -> None:
    made, x = learner(context=2, sampled=99), rows(2, 6)
    terms = made.losses(x)
    for name, direction, read in (("forward", made.ahead, x), ("backward", made.back, x.flip(1))):
        _, f = direction(read)
        total, words = 0.0, 0
        for n in range(2):
            for t in range(6 - 2):
                state = f[n, t]
                for d in range(1, 3):  # the decoder hears x_t, x_(t+1), …
                    _, last = direction.decoder.gru(
                        direction.features.embedding(read[n, t + d - 1]).view(1, 1, -1), state.view(1, 1, -1)
                    )
                    state = last.flatten()
                    logits = direction.features.embedding.weight @ state + direction.decoder.bias
                    total -= logits.log_softmax(0)[read[n, t + d]].item()
                    words += 1
        assert terms[name].item() == pytest.approx(0.5 * total / words, abs=1e-12)


def test_the_decoder_cannot_see_what_it_has_to_say() -> None:
    torch.manual_seed(0)
    decoder, f = Decoder(nn.Embedding(9, 8)).double(), torch.randn(4, 8).double()
    tokens = rows(4, 3)
    before = decoder(f, tokens)
    other = tokens.clone()
    other[:, 2] = 1 + tokens[:, 2] % 8
    after = decoder(f, other)
    assert torch.equal(after[:, :2], before[:, :2])
    assert not torch.allclose(after[:, 2], before[:, 2])


def test_the_embedding_learns_on_the_way_in_and_on_the_way_out() -> None:
    decoder = Decoder(nn.Embedding(9, 8))
    decoder(torch.randn(4, 8), torch.full((4, 2), 3)).square().sum().backward()
    assert decoder.embedding.weight.grad is not None
    assert decoder.embedding.weight.grad[5].any(), "a word that was not heard, but could have been said"
    decoder.zero_grad()
    decoder(torch.randn(4, 8), torch.full((4, 2), 3))[..., 5].sum().backward()
    assert decoder.embedding.weight.grad[3].any(), "a word that was heard, not said"


def test_positions_are_drawn_anew_for_every_row_and_no_two_alike() -> None:
    made, x = learner(sampled=3), torch.arange(1, 9).expand(2, 8)
    made.ahead.decoder = Recorded(made.ahead.decoder)  # type: ignore[assignment]
    for _ in range(20):
        made.losses(x)
    places = [tokens[:, 0].tolist() for _, tokens in made.ahead.decoder.asked]  # type: ignore[misc, union-attr]
    assert all(len(set(each[:3])) == len(set(each[3:])) == 3 for each in places)
    assert any(set(each[:3]) != set(each[3:]) for each in places)
    assert len({tuple(sorted(each)) for each in places}) > 3
    assert {p for each in places for p in each} == {1, 2, 3, 4, 5}


def test_evaluation_looks_at_every_position() -> None:
    made, x = learner(sampled=2).eval(), rows()
    once, whole = made.losses(x)["forward"], learner(sampled=99).losses(x)["forward"]
    torch.testing.assert_close(once, whole)


def test_what_fills_a_row_up_is_neither_foretold_nor_asked() -> None:
    said = torch.tensor([[3, 4, 0], [5, 0, 0], [0, 6, 7], [0, 0, 0]])
    logits = torch.randn(4, 2, 9, dtype=torch.float64)
    expected = -logits[0, 0].log_softmax(0)[4]
    torch.testing.assert_close(mean_surprise(logits, said), expected)


def test_the_graph_learns_through_the_features_success_alone() -> None:
    made, x = learner(sampled=99), rows()
    made.losses(x)["forward"].backward()
    assert made.ahead.graph.to_keys.weight.grad is not None
    assert made.ahead.graph.to_keys.weight.grad.abs().sum() > 0
    assert made.back.graph.to_keys.weight.grad is None
    blind = learner(sampled=99)
    with torch.no_grad():
        blind.ahead.features.value.weight.zero_()  # nothing is carried: nothing to learn about who listens
    blind.losses(x)["forward"].backward()
    assert blind.ahead.graph.to_keys.weight.grad is not None
    assert not blind.ahead.graph.to_keys.weight.grad.any()


@pytest.mark.parametrize("name", ["ahead.graph.to_keys.weight", "ahead.graph.b", "ahead.features.value.weight"])
def test_the_gradient_of_the_objective_in_float64(name: str) -> None:
    made, x = learner(sampled=99, width=4, heads=2, head_width=2, vocabulary=5), rows(2, 5) % 4 + 1

    def objective(value: Tensor) -> Tensor:
        loss: Tensor = functional_call(Objective(made), {f"learner.{name}": value}, (x,))
        return loss

    assert torch.autograd.gradcheck(objective, (made.get_parameter(name).detach().clone().requires_grad_(),))


class Objective(nn.Module):
    """The forward term as a forward pass, so that a weight can be given from outside."""

    def __init__(self, learner: GraphLearner) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, x: Tensor) -> Tensor:
        return self.learner.losses(x)["forward"]


# what it refuses, and what it survives


def test_rows_shorter_than_the_context_are_refused() -> None:
    with pytest.raises(TlbookError, match=r"^rows have 3 tokens; expected more than the context of 3[^\n]*$"):
        learner(context=3).losses(rows(2, 3))
    assert learner(context=3).losses(rows(2, 4))["forward"].isfinite()


@pytest.mark.parametrize("normalisation", ["sparse", "softmax"])
@pytest.mark.parametrize("decoupled", [True, False])
def test_empty_text_gives_no_edge_no_loss_and_no_nan(normalisation: str, decoupled: bool) -> None:
    made = learner(normalisation=normalisation, decoupled=decoupled)
    x = torch.zeros(2, 7, dtype=torch.int64)
    x[0, 0] = 3
    terms = made.losses(x)
    assert all(term.item() == 0 for term in terms.values())
    torch.stack(list(terms.values())).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())
    assert not made.graphs(x).any()


def test_heads_carry_parts_of_their_own() -> None:
    features = FeaturePredictor(9, width=4, heads=2).double()
    f, graph = torch.randn(1, 2, 4).double(), torch.zeros(1, 2, 2, 2).double()
    graph[0, 1, 0, 1] = 1  # the second head alone: 0 → 1
    with torch.no_grad():
        features.value.weight.copy_(torch.eye(4))
        message = torch.tensor([[0, 0, *f[0, 0, 2:].tolist()]], dtype=torch.float64)
        expected = features.gru(torch.cat([message * f[0, 1:], message], dim=1), f[0, 1:])
        torch.testing.assert_close(features(f, graph)[0, 1:], expected)
