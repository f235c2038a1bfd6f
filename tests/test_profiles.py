"""The environment says at which size a chapter runs."""

import pytest

from tlbook.errors import TlbookError
from tlbook.profiles import profile


@pytest.mark.parametrize(
    ("given", "expected"), [(None, "quick"), ("", "quick"), ("quick", "quick"), ("paper", "paper")]
)
def test_the_profile_is_quick_unless_asked_for(
    given: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TLBOOK_PROFILE", raising=False)
    if given is not None:
        monkeypatch.setenv("TLBOOK_PROFILE", given)
    assert profile() == expected


def test_another_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLBOOK_PROFILE", "papper")
    with pytest.raises(TlbookError, match=r"^TLBOOK_PROFILE is 'papper'; expected one of \('quick', 'paper'\)[^\n]*$"):
        profile()
