"""A claim prints a stable line or stops the chapter."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from tlbook.claims import ClaimFailed, NotRun, also_checked, claim
from tlbook.errors import TlbookError


def test_a_truth_is_stated_without_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    claim("the labels are unused", True)
    assert capsys.readouterr().out == "claim holds: the labels are unused\n"


@pytest.mark.parametrize("holds", [False, np.bool_(False), torch.tensor(False), 0.0 > 1.0])
def test_a_false_claim_stops_with_its_sentence(holds: object) -> None:
    with pytest.raises(ClaimFailed, match=r"^adaptation helps$"):
        claim("adaptation helps", holds)


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
    claim("some", [True, MISSING > 1, NotRun("other") > 1])
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


@pytest.mark.parametrize(
    "value", [0.14, np.float32(0.14), torch.tensor(0.14), torch.tensor([0.14], requires_grad=True)]
)
def test_a_number_is_shown_with_its_bound(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    claim("it gains", value, above=0.1)
    claim("it gains little", value, above=0.1, below=0.2)
    assert capsys.readouterr().out.splitlines() == [
        "claim holds: it gains [0.140, above 0.1]",
        "claim holds: it gains little [0.140, above 0.1, below 0.2]",
    ]


def test_of_several_numbers_the_nearest_to_its_bound_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    claim("each falls", [np.array([-3.0, -0.1]), torch.tensor(-2)], below=0)
    claim("each lies between", torch.tensor([[0.4, 0.95]]), above=0, below=1)
    assert capsys.readouterr().out.splitlines() == [
        "claim holds: each falls [nearest of 3: -0.100, below 0]",
        "claim holds: each lies between [nearest of 2: 0.950, above 0, below 1]",
    ]


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (0.1, {"above": 0.1}, r"^it is so \[0\.100, above 0\.1\]$"),
        (0.1, {"below": 0.1}, r"^it is so \[0\.100, below 0\.1\]$"),
        ([5.0, float("nan")], {"above": 1}, r"^it is so \[nearest of 2: nan, above 1\]$"),
        (1.0, {"above": float("nan")}, r"^it is so \[1\.000, above nan\]$"),
        ([0.5, 2.0], {"above": 0, "below": 1}, r"^it is so \[nearest of 2: 2\.000, above 0, below 1\]$"),
        (1e-7, {"above": 1e-6, "below": 1}, r"^it is so \[1e-07, above 1e-06, below 1\]$"),
    ],
)
def test_a_number_beyond_its_bound_stops(value: object, bounds: dict[str, float], message: str) -> None:
    with pytest.raises(ClaimFailed, match=message):
        claim("it is so", value, **bounds)


@pytest.mark.parametrize("value", [True, np.bool_(True), torch.tensor(True), [], "x", None, [[]], {}])
def test_what_is_no_number_is_compared_with_no_bound(value: object) -> None:
    with pytest.raises(TlbookError, match=r"expected a number to compare with a bound, or several$"):
        claim("anything", value, above=0)
    with pytest.raises(TlbookError, match=r"expected a number to compare with a bound, or several$"):
        claim("anything", 1.0, above=value if value is not None else "none")


def test_a_missing_number_or_bound_is_not_checked(capsys: pytest.CaptureFixture[str]) -> None:
    claim("a", MISSING, above=0)
    claim("b", [1.0, 2.0], above=NotRun("other"))
    assert capsys.readouterr().out.splitlines() == [
        "claim not checked: not yet run (adda-mnist-usps): a",
        "claim not checked: not yet run (other): b",
    ]


def test_what_is_known_must_hold_whatever_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    claim("a", [5.0, MISSING], above=1)
    assert capsys.readouterr().out == "claim not checked: not yet run (adda-mnist-usps): a\n"
    with pytest.raises(ClaimFailed, match=r"^b \[5\.000, below 1\]$"):
        claim("b", [5.0, MISSING], below=1)


@pytest.mark.parametrize("bound", [[0.1, 0.9], np.array([0.1, 0.9]), torch.tensor([0.1, 0.9])])
def test_several_bounds_are_no_bound(bound: object) -> None:
    with pytest.raises(TlbookError, match=r"^above of the claim 'a' is several numbers; expected one bound for all$"):
        claim("a", 0.5, above=bound)


def test_what_else_was_checked_is_one_block(capsys: pytest.CaptureFixture[str]) -> None:
    with also_checked("Controls"):
        claim("a", 1, above=0)
        claim("b", True)
    assert capsys.readouterr().out == "Controls:\nclaim holds: a [1.000, above 0]\nclaim holds: b\n"
    claim("c", True)
    assert capsys.readouterr().out == "claim holds: c\n"


def test_a_claim_that_fails_in_a_fold_stops_and_shows_those_before(capsys: pytest.CaptureFixture[str]) -> None:
    def two() -> None:
        with also_checked():
            claim("a", True)
            claim("b", False)

    with pytest.raises(ClaimFailed, match=r"^b$"):
        two()
    assert capsys.readouterr().out == "What else was checked:\nclaim holds: a\n"
    claim("c", True)
    assert capsys.readouterr().out == "claim holds: c\n"


def test_a_fold_in_a_fold_is_refused() -> None:
    with also_checked(), pytest.raises(TlbookError, match=r"^also_checked inside [^\n]*$"), also_checked():
        pass


def test_a_notebook_shows_a_finding_as_a_line_of_the_page() -> None:
    InteractiveShell.instance()
    try:
        with capture_output() as captured:
            claim("a < b", 0.5, above=0)
            claim("c", MISSING > 1)
            with also_checked("More"):
                claim("d", True)
    finally:
        InteractiveShell.clear_instance()
    assert captured.stdout == ""
    holds, unchecked, more = (out.data for out in captured.outputs)
    assert holds["text/plain"] == "claim holds: a < b [0.500, above 0]"
    assert holds["text/html"] == (
        '<p class="claim"><span aria-label="holds">✓</span> a &lt; b <small>0.500, above 0</small></p>'
    )
    assert "○" in unchecked["text/html"]
    assert "not yet run (adda-mnist-usps)" in unchecked["text/html"]
    assert more["text/html"].startswith('<details class="claims"><summary>More (1)</summary>')
