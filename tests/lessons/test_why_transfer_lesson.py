"""What the chapter on why to transfer runs on."""

import numpy as np
import torch

from tlbook.lessons import why_transfer

YEAR = np.arange(365)


def test_the_warmest_day_lies_on_the_citys_side_of_the_equator() -> None:
    warmest = {name: int(city.law(YEAR).argmax()) for name, city in why_transfer.cities().items()}
    assert {name: 90 < day < 270 for name, day in warmest.items()} == {
        "Wuhan": True,
        "Beijing": True,
        "New York": True,
        "Buenos Aires": False,
    }


def test_a_thermometer_shows_the_law_and_a_disturbance_that_its_generator_draws() -> None:
    city = why_transfer.City(mean=14, swing=5, side=1, noise=2)
    shown, again = (city.read(np.tile(YEAR, 20), np.random.default_rng(0)) for _ in range(2))
    assert np.array_equal(shown, again)
    off = shown - np.tile(city.law(YEAR), 20)
    assert abs(off.mean()) < 0.1
    assert abs(off.std() - 2) < 0.1


def test_a_year_has_365_days() -> None:
    city = why_transfer.cities()["Wuhan"]
    assert np.allclose(city.law(YEAR), city.law(YEAR + 365))


def test_both_domains_hold_the_same_digits_in_the_same_size() -> None:
    lesson = why_transfer.digits()
    assert torch.equal(lesson.source.labels(), lesson.target.labels())
    assert lesson.source.x.shape == lesson.target.x.shape == lesson.fonts.x.shape
    assert why_transfer.network()(lesson.source.x[:2]).shape == (2, 10)
