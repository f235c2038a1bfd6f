"""What the chapter on the taxonomy of transfer runs on."""

import torch

from tlbook.lessons import taxonomy


def test_each_customer_differs_from_the_source_in_what_the_chapter_says() -> None:
    lesson = taxonomy.customers()
    for source, customers in ((lesson.source, lesson.customers), (lesson.source_test, lesson.tests)):
        y = source.labels()
        parity, backwards, photographs = customers.values()
        assert torch.equal(parity.x, source.x)
        assert torch.equal(parity.labels(), y % 2)
        assert parity.classes == ("even", "odd")
        assert torch.equal(backwards.x, source.x)
        assert torch.equal(backwards.labels(), 9 - y)
        assert backwards.classes == source.classes
        assert photographs.x.shape == source.x.shape
        assert not torch.equal(photographs.x, source.x)
        assert torch.equal(photographs.labels(), y)


def test_a_head_fits_the_network_s_features() -> None:
    network, x = taxonomy.network(), taxonomy.customers().source.x[:2]
    assert taxonomy.head(2)(network.features(x)).shape == (2, 2)
    assert network(x).shape == (2, 10)


def test_a_training_takes_the_lesson_s_steps_and_follows_its_seed() -> None:
    lesson = taxonomy.customers()
    few = lesson.source.per_class(1, seed=0)
    weights = {}
    for name, how in {"own": {}, "same": {"steps": lesson.steps}, "short": {"steps": 1}}.items():
        torch.manual_seed(0)
        trained = lesson.train(taxonomy.network(), few, seed=0, **how)
        weights[name] = trained.state_dict()["label_head.fc2.weight"]
    assert torch.equal(weights["own"], weights["same"])
    assert not torch.equal(weights["own"], weights["short"])
