"""Every recipe of the decision guide runs as it is printed, after the first block and no other."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "book" / "what_to_use.md").read_text(encoding="utf-8")
FIRST, *OTHERS, ADVERSARY, LAST = BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
QUESTIONS = 5


@pytest.fixture(scope="module")
def started() -> dict[str, Any]:
    """The names that the first block leaves."""
    names: dict[str, Any] = {}
    exec(FIRST, names)
    return names


def test_the_baseline_runs_and_reads_the_source(started: dict[str, Any]) -> None:
    assert started["evaluate"].accuracy(started["plain"], started["source"]) > 0.9
    assert 0.2 < started["right"] < 0.9


@pytest.mark.parametrize("recipe", OTHERS, ids=[recipe.splitlines()[0] for recipe in OTHERS])
def test_a_recipe_runs_reads_more_than_chance_and_leaves_the_baseline(started: dict[str, Any], recipe: str) -> None:
    before = {name: value.clone() for name, value in started["plain"].state_dict().items()}
    names = {name: value for name, value in started.items() if name != "right"}
    exec(recipe, names)
    assert 0.25 < names["right"] <= 1
    assert all(before[name].equal(value) for name, value in started["plain"].state_dict().items())


def test_what_the_adversary_trained_is_among_those_that_the_last_recipe_chooses_from(started: dict[str, Any]) -> None:
    names = dict(started)
    exec(ADVERSARY, names)
    assert 0.25 < names["right"] <= 1
    exec(LAST, names)
    assert names["chosen"] in (names["plain"], names["method"])
    assert set(names["found"]) == {0.0, 1.0}


def test_the_page_asks_at_most_five_questions_and_each_leads_to_a_chapter() -> None:
    asked = re.findall(r"^\| (\d) \| (.+?\?) \| .+ \| \[.+?\]\((\w+)\.ipynb\) \|$", PAGE, re.MULTILINE)
    assert [int(number) for number, _, _ in asked] == list(range(1, len(asked) + 1))
    assert 1 <= len(asked) <= QUESTIONS
    for number, question, chapter in asked:
        assert f"## {number}. {question}" in PAGE
        assert (Path(__file__).parents[2] / "book" / f"{chapter}.ipynb").exists()
    assert all(len(line) <= 79 for block in BLOCKS for line in block.splitlines())
