"""Transfer: frozen graphs, a mixture with weights that sum to 1, embeddings of another network, and two phases."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tlbook import evaluate, fit, nets
from tlbook.data import Domain
from tlbook.data.language import WORDS, questions, tell
from tlbook.errors import TlbookError
from tlbook.methods import Batch, GLoMo, GraphLearner
from tlbook.methods.glomo.graphs import causal_mask, control, products
from tlbook.methods.glomo.transfer import GraphReader, MaxOverTime

sgd = partial(torch.optim.SGD, lr=0.1)
KINDS = ["learned", "uniform", "random", "none"]


def method(seed: int = 0, **how: Any) -> GLoMo:
    torch.manual_seed(seed)
    learner = GraphLearner(vocabulary=9, width=8, head_width=4, depth=1)
    return GLoMo(learner, nn.Embedding(9, 4), nn.Flatten(), nets.mlp(28, 2), width=4, **how)


def domains() -> tuple[Domain, Domain]:
    generator = torch.Generator().manual_seed(1)
    x, z = torch.randint(1, 9, (30, 7), generator=generator), torch.randint(1, 9, (40, 7), generator=generator)
    return Domain("task", x, x[:, 0] % 2, ("a", "b")), Domain("text", z, None, ("a", "b"))


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


# the mixture


def test_the_mixture_is_the_sum_over_layers_heads_and_products() -> None:
    torch.manual_seed(0)
    reader = GraphReader(nn.Embedding(9, 4), layers=2, heads=3, encoder=nn.Identity(), width=4).double()
    graphs = torch.rand(2, 2, 2, 3, 5, 5).double()
    with torch.no_grad():
        reader.mixture.normal_()
    found = reader.mix(graphs)
    for d in range(2):
        e = reader.mixture[d].exp()
        m, n = e / e.sum()
        assert (m.sum() + n.sum()).item() == pytest.approx(1)
        expected = sum(
            m[layer, head] * graphs[:, d, layer, head] + n[layer, head] * products(graphs)[:, d, layer, head]
            for layer in range(2)
            for head in range(3)
        )
        torch.testing.assert_close(found[:, d], expected)


def test_the_mixture_starts_even() -> None:
    reader = GraphReader(nn.Embedding(9, 4), layers=2, heads=3, encoder=nn.Identity(), width=4)
    graphs = torch.rand(2, 2, 2, 3, 5, 5)
    both = torch.cat([graphs, products(graphs)], dim=2)
    torch.testing.assert_close(reader.mix(graphs), both.mean(dim=(2, 3)))


def test_a_position_gets_the_weighted_sum_of_what_it_listens_to_through_a_gate() -> None:
    torch.manual_seed(0)
    reader = GraphReader(nn.Embedding(9, 4), layers=1, heads=1, encoder=nn.Identity(), width=4).double()
    tokens, graphs = torch.tensor([[3, 4, 5, 0]]), torch.rand(1, 2, 1, 1, 4, 4).double()
    features, h, mixed = reader(tokens, graphs), reader.embedding(tokens)[0], reader.mix(graphs)[0]
    for j in range(3):
        heard = [sum(mixed[d, i, j] * h[i] for i in range(4)) for d in range(2)]
        both = torch.cat([h[j], *heard])
        torch.testing.assert_close(features[0, j], reader.linear(both) * torch.sigmoid(reader.gate(both)))
    assert not features[0, 3].any(), "what fills the row up"


def test_the_sentence_encoder_is_the_greatest_of_each_filter_over_the_words() -> None:
    torch.manual_seed(0)
    encoder, x = MaxOverTime(4, 6).double(), torch.randn(2, 5, 4).double()
    conv = encoder.convolution
    with torch.no_grad():
        conv.bias[0] = -9  # type: ignore[index]  # a filter that no word wakes
    outside = torch.zeros(2, 1, 4, dtype=torch.float64)
    wide = torch.cat([outside, x, outside], dim=1)
    expected = torch.zeros(2, 6, dtype=torch.float64)  # the ReLU's
    for t in range(5):
        for k in range(6):
            heard = (wide[:, t : t + 3] * conv.weight[k].T).sum(dim=(1, 2)) + conv.bias[k]  # type: ignore[index]
            expected[:, k] = expected[:, k].maximum(heard)
    torch.testing.assert_close(encoder(x), expected)
    assert (expected == 0).any()


def test_what_fills_a_row_up_does_not_change_the_answer() -> None:
    torch.manual_seed(0)
    learner = GraphLearner(vocabulary=9, width=8, head_width=4, positions=12)
    made = GLoMo(learner, nn.Embedding(9, 4), MaxOverTime(4, 6), nets.mlp(6, 2), width=4).double()
    with torch.no_grad():
        made.features.reader.encoder.convolution.bias.add_(1)  # type: ignore[union-attr, operator]
    x = domains()[0].x
    torch.testing.assert_close(made(nn.functional.pad(x, (0, 5))), made(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_reader_gets_the_graphs_of_both_directions(kind: Any) -> None:
    made, (source, _) = method(graph=kind), domains()
    seen: list[Tensor] = []
    made.features.reader.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    made(source.x)
    tokens, learned = source.x, made.features.learner.graphs(source.x)
    for direction, mask in enumerate((causal_mask(tokens), causal_mask(tokens).mT)):
        expected = control(learned[:, direction], mask[:, None, None], kind)
        torch.testing.assert_close(seen[0][:, direction], expected)
        assert kind == "none" or expected.any()


# frozen


@pytest.mark.parametrize("kind", KINDS)
def test_the_task_sends_no_gradient_to_the_graphs(kind: str) -> None:
    made, (source, target) = method(graph=kind), domains()
    made.losses(Batch(source.x, source.y), Batch(target.x), 0.5)["label"].backward()
    assert all(p.grad is None for p in made.features.learner.parameters())
    reader = dict(made.features.reader.named_parameters())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in reader.values())
    assert reader["mixture"].grad.abs().sum() > 0 or kind in ("none", "uniform")  # type: ignore[union-attr]


def test_each_phase_moves_its_own_half_to_the_bit() -> None:
    made, (source, target) = method(share=0.25), domains()
    start = weights(made)
    look: list[dict[str, Tensor]] = []
    task = made.losses

    def looking(*given: Any) -> dict[str, Tensor]:
        look.append(weights(made))
        return task(*given)

    made.losses = looking  # type: ignore[method-assign]
    history = fit(made, source, target, steps=20, batch_size=8, optimizer=sgd, precision="fp32")
    first, end = look[0], weights(made)
    assert len(history.terms["forward"]) == len(history.terms["backward"]) == 5
    assert len(history.terms["label"]) == 15
    learned = {name for name in start if not torch.equal(start[name], first[name])}
    assert learned
    assert all(name.startswith("features.learner.") for name in learned)
    later = {name for name in start if not torch.equal(first[name], end[name])}
    assert {name.split(".")[1] for name in later if name.startswith("features.")} == {"reader"}
    assert any(name.startswith("label_head.") for name in later)


@pytest.mark.parametrize(("share", "phases"), [(0.0, ["task"]), (0.3, ["graphs", "task"]), (1.0, ["graphs"])])
def test_a_share_of_nothing_is_no_phase(share: float, phases: list[str]) -> None:
    assert [phase.name for phase in method(share=share).phases()] == phases


def test_each_phase_names_the_parts_that_learn_and_their_share() -> None:
    made = method(share=0.25)
    first, second = made.phases()
    assert first.learns == (made.features.learner,)
    assert second.learns == (made.features.reader, made.label_head)
    assert (first.share, second.share) == (0.25, 0.75)


def test_the_label_of_no_row_reaches_the_first_phase() -> None:
    source, target = domains()
    found = []
    for y in (source.y, 1 - source.labels()):
        made = method(share=1.0)
        fit(made, Domain("task", source.x, y, source.classes), target, steps=5, batch_size=8, precision="fp32")
        found.append(weights(made))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_the_first_phase_reads_the_text_and_the_second_the_task() -> None:
    source, target = domains()
    made = method()
    batches = Batch(source.x, source.y), Batch(target.x)
    first, second = made.graph_losses(*batches, 0.5), made.losses(*batches, 0.5)
    for name, term in made.features.learner.losses(target.x).items():  # every position is drawn, in another order
        torch.testing.assert_close(first[name], term)
    torch.testing.assert_close(second["label"], nn.functional.cross_entropy(made(source.x), source.labels()))


def test_one_learner_serves_two_tasks_and_other_embeddings() -> None:
    first, (source, _) = method(share=0.0), domains()
    learner = first.features.learner
    before = weights(learner)
    second = GLoMo(learner, nn.Embedding(9, 6), nn.Flatten(), nets.mlp(42, 2), width=6, share=0.0)
    for made in (first, second):
        fit(made, source, steps=5, batch_size=8, precision="fp32")
    after = weights(learner)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_every_kind_of_graph_has_as_many_weights_and_reads_otherwise() -> None:
    source, _ = domains()
    found = {kind: method(graph=kind) for kind in KINDS}
    assert len({sum(p.numel() for p in made.parameters()) for made in found.values()}) == 1
    outputs = [made(source.x) for made in found.values()]
    for i, one in enumerate(outputs):
        assert all(not torch.allclose(one, other) for other in outputs[i + 1 :])


@pytest.mark.parametrize("kind", KINDS)
def test_empty_text_is_classified_without_nan(kind: str) -> None:
    assert method(graph=kind)(torch.zeros(2, 7, dtype=torch.int64)).isfinite().all()


# the whole


def test_graphs_learned_without_labels_answer_what_no_bag_of_words_can() -> None:
    told, asked, test = tell(3000, seed=0, length=14), questions(200, seed=1, length=14), questions(500, 2, 14)
    torch.manual_seed(0)
    learner = GraphLearner(len(WORDS), layers=1, heads=1)
    adam = partial(torch.optim.Adam, lr=5e-3)

    class Last(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, -1]

    def answers(kind: str, share: float, steps: int) -> float:
        torch.manual_seed(0)
        made = GLoMo(learner, nn.Embedding(len(WORDS), 16), Last(), nets.mlp(16, 8), 16, share, kind)  # type: ignore[arg-type]
        fit(made, asked, told.domain, steps=steps, batch_size=32, optimizer=adam, precision="fp32")
        return evaluate.accuracy(made, test)

    learned = answers("learned", share=0.7, steps=1000)
    assert learned > 0.5
    assert learned > answers("uniform", share=0.0, steps=300) + 0.2
    held = tell(200, seed=3, length=14)
    graph = learner.graphs(held.domain.x)[:, 0, 0, 0]
    named = held.edges.any(dim=1)
    strongest = graph.argmax(dim=1)[named]
    assert held.edges.mT[named].gather(1, strongest[:, None]).float().mean() > 0.6


# what it refuses


@pytest.mark.parametrize(("rows", "width"), [(8, 4), (9, 5)])
def test_an_embedding_that_does_not_fit_the_learner_is_one_line(rows: int, width: int) -> None:
    learner, head = method().features.learner, nets.mlp(28, 2)
    with pytest.raises(
        TlbookError, match=rf"^embedding is {rows} × {width}; expected at least 9 × 4: build it [^\n]*$"
    ):
        GLoMo(learner, nn.Embedding(rows, width), nn.Flatten(), head, width=4)
    GLoMo(learner, nn.Embedding(12, 4), nn.Flatten(), head, width=4)


def test_without_text_the_graphs_cannot_be_learned_and_one_line_says_so() -> None:
    source, _ = domains()
    with pytest.raises(TlbookError, match=r"^no unlabelled rows are given[^\n]*give fit a target$"):
        fit(method(), source, steps=4, batch_size=8)


def test_an_unknown_token_is_one_line() -> None:
    source, target = domains()
    strange = Domain("task", source.x + 5, source.y, source.classes)
    with pytest.raises(TlbookError, match=r"^x has the token \d+; expected tokens N×T, integers from 0 to 8: [^\n]*$"):
        fit(method(), strange, target, steps=4, batch_size=8)
