"""A claim prints a stable line or stops the chapter."""

import numpy as np
import pytest
import torch

from tlbook.claims import ClaimFailed, claim


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
