"""Claims: the sentences of the book that compare, as assertions that run."""

from __future__ import annotations

__all__ = ["ClaimFailed", "claim"]


class ClaimFailed(AssertionError):
    """A claim of the book does not hold on what was just measured."""


def claim(sentence: str, holds: object, **measured: float) -> None:
    """State a conclusion and check it: print one line where it holds, stop the chapter where it does not.

    The sentence says what must be true for every seed; the keyword arguments say by how much it was true this time.
    They are printed in brackets at the end of the line, so that a comparison of two runs can leave them out.

    Args:
        sentence: the conclusion in words, without a final full stop.
        holds: its truth; a bool, or a number, array or tensor with a single truth value.
        **measured: the quantities behind it, printed with three digits after the point.

    Raises:
        ClaimFailed: where ``holds`` is false; the message has the sentence and what was measured.

    Example:
        >>> gain = 0.91 - 0.77
        >>> claim("DANN beats source-only by 10 points", gain > 0.10, gain=gain)
        claim holds: DANN beats source-only by 10 points [gain = 0.140]
        >>> claim("DANN beats source-only by 20 points", gain > 0.20, gain=gain)
        Traceback (most recent call last):
        tlbook.claims.ClaimFailed: DANN beats source-only by 20 points [gain = 0.140]
    """
    margins = ", ".join(f"{name} = {float(value):.3f}" for name, value in measured.items())
    line = f"{sentence} [{margins}]" if margins else sentence
    if not holds:
        raise ClaimFailed(line)
    print(f"claim holds: {line}")
