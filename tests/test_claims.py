"""A claim prints a stable line or stops the chapter."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tlbook.claims import ClaimFailed, NotRun, claim
from tlbook.errors import TlbookError


def test_a_claim_that_holds_prints_one_line_with_its_margins_last(capsys: pytest.CaptureFixture[str]) -> None:
    claim("two is more than one", 2 > 1, gain=1, ratio=2.0)
    assert capsys.readouterr().out == "claim holds: two is more than one [gain = 1.000, ratio = 2.000]\n"


def test_a_claim_without_measures_has_no_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    claim("the labels are unused", True)
    assert capsys.readouterr().out == "claim holds: the labels are unused\n"


@pytest.mark.parametrize("holds", [False, np.bool_(False), torch.tensor(False), 0.0 > 1.0])
def test_a_false_claim_stops_with_its_sentence_and_margin(holds: object) -> None:
    with pytest.raises(ClaimFailed, match=r"^adaptation helps \[gain = -0\.030\]$"):
        claim("adaptation helps", holds, gain=torch.tensor(-0.03))


def test_a_failed_claim_is_an_assertion_error() -> None:
    assert issubclass(ClaimFailed, AssertionError)


@pytest.mark.parametrize("undecided", [np.array([True, False]), torch.tensor([True, True])])
def test_several_truth_values_are_not_a_claim(undecided: object) -> None:
    with pytest.raises((ValueError, RuntimeError), match="ambiguous"):
        claim("all of them", undecided)


MISSING = NotRun("adda-mnist-usps")


@pytest.mark.parametrize(
    "number",
    [
        MISSING + 1,
        1 - MISSING,
        np.ones(3) * MISSING,
        np.float64(2) / MISSING,
        torch.ones(2) - MISSING,
        abs(-MISSING) ** 2,
        MISSING.mean(),
        MISSING[0]["x"].std(ddof=1),
        np.mean(MISSING),
        round(MISSING, 2),
    ],
    ids=repr,
)
def test_what_is_computed_from_a_missing_number_is_missing(number: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(number, NotRun)
    comparisons = (number > 0, number >= 0, number < 0, number <= 0, number == 0, number != 0, number > 0)
    for comparison in (*comparisons, np.float64(0) < number, ~(number > 0), (number > 0) & True, True | (number > 0)):
        claim("one is more", comparison)
        assert capsys.readouterr().out == "claim not checked: not yet run (adda-mnist-usps): one is more\n"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: MISSING > 0 or True,
        lambda: not MISSING,
        lambda: all(value > 0 for value in (MISSING,)),
        lambda: all(value > 0 for value in MISSING),
        lambda: any([MISSING]),
        lambda: max(MISSING, 1),
        lambda: sorted([MISSING, 1]),
        lambda: [*MISSING],
        lambda: len(MISSING),
        lambda: float(MISSING),
        lambda: MISSING in [1],
    ],
)
def test_a_missing_number_is_never_silently_true_or_empty(wrong: Callable[[], object]) -> None:
    with pytest.raises(TlbookError, match=r"^not yet run: adda-mnist-usps; [^\n]+$"):
        wrong()


def test_several_conditions_must_all_hold(capsys: pytest.CaptureFixture[str]) -> None:
    claim("all", [True, np.bool_(True), torch.tensor(True)])
    claim("some", [True, MISSING > 1, NotRun("other") > 1], gain=MISSING)
    holds, not_checked = capsys.readouterr().out.splitlines()
    assert holds == "claim holds: all"
    assert not_checked == "claim not checked: not yet run (adda-mnist-usps, other): some"
    with pytest.raises(ClaimFailed, match=r"^known$"):
        claim("known", [MISSING > 1, False])


@pytest.mark.parametrize("holds", [None, "yes", 1.0, float("nan"), (x for x in ()), lambda: True, {}, []])
def test_what_is_no_truth_is_no_claim(holds: object) -> None:
    with pytest.raises(TlbookError, match=r"expected (true or false|one or more)[^\n]*$"):
        claim("anything", holds)


def test_a_missing_number_is_shown_in_words() -> None:
    assert f"{MISSING:+.3f}, {MISSING}" == "not yet run, not yet run"
    assert repr(MISSING - NotRun("b")) == "not yet run: adda-mnist-usps, b"
