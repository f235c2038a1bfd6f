"""Claims: the sentences of the book that compare, as assertions that run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from tlbook.errors import TlbookError

__all__ = ["ClaimFailed", "NotRun", "claim"]


class ClaimFailed(AssertionError):
    """A claim of the book does not hold on what was just measured."""


class NotRun:
    """A number that a record would hold and that nobody has measured yet.

    What is computed or compared with it is not known either, and says so: sums, indices, attributes and comparisons
    give a :class:`NotRun` again. It is neither true nor false, no plain number, and nothing to loop over.

    Args:
        missing: the records that would have to be there.

    Example:
        >>> gain = NotRun("adda-mnist-usps") - 0.75
        >>> gain > 0.1
        not yet run: adda-mnist-usps
        >>> f"{gain:.3f}"
        'not yet run'
    """

    __array_ufunc__ = None  # an array beside it leaves the sum to it

    def __init__(self, *missing: str) -> None:
        self._missing = tuple(dict.fromkeys(missing))

    def __repr__(self) -> str:
        return f"not yet run: {', '.join(self._missing)}"

    def __str__(self) -> str:
        return "not yet run"

    def __format__(self, spec: str) -> str:
        return str(self)

    def __getattr__(self, name: str) -> NotRun:
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: object) -> NotRun:
        return self

    def __call__(self, *arguments: object, **named: object) -> NotRun:
        return self

    def __bool__(self) -> bool:
        self._refuse("it is neither true nor false: give claim the comparison itself, or several in a list")

    def __iter__(self) -> Iterator[Any]:
        self._refuse("there is nothing to go through: compute with it as a whole")

    def __len__(self) -> int:
        self._refuse("it has no length: compute with it as a whole")

    def __float__(self) -> float:
        self._refuse("it is no number: give it to claim or to a table as it is")

    __hash__ = None  # type: ignore[assignment]  # equality is not known

    def _refuse(self, why: str) -> NoReturn:
        raise TlbookError(f"{self!r}; {why}")

    def _with(self, *others: object) -> NotRun:
        missing = (other._missing for other in others if isinstance(other, NotRun))
        return NotRun(*self._missing, *(name for names in missing for name in names))

    __abs__ = __neg__ = __pos__ = __invert__ = __round__ = _with


def _unknown() -> Callable[[NotRun, object], NotRun]:
    return lambda self, other: self._with(other)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"):
    setattr(NotRun, f"__{_name}__", _unknown())
    setattr(NotRun, f"__r{_name}__", _unknown())
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(NotRun, f"__{_name}__", _unknown())


def claim(sentence: str, holds: object, **measured: object) -> None:
    """State a conclusion and check it: print one line where it holds, stop the chapter where it does not.

    The sentence says what must be true for every seed; the keyword arguments say by how much it was true this time.
    They are printed in brackets at the end of the line, so that a comparison of two runs can leave them out.

    A claim about a record that is not there (:class:`NotRun`) is *not checked*; it never holds.

    Args:
        sentence: the conclusion in words, without a final full stop.
        holds: its truth: a bool, an array or tensor of one bool, a comparison with a number that is not yet measured;
            or a list of them, which must all hold.
        **measured: the quantities behind it, printed with three digits after the point.

    Raises:
        ClaimFailed: where ``holds`` is false, whatever else is missing; the message has the sentence and what was
            measured.
        TlbookError: where ``holds`` is no truth value.

    Example:
        >>> gain = 0.91 - 0.77
        >>> claim("DANN beats source-only by 10 points", gain > 0.10, gain=gain)
        claim holds: DANN beats source-only by 10 points [gain = 0.140]
        >>> claim("DANN beats source-only by 20 points", gain > 0.20, gain=gain)
        Traceback (most recent call last):
        tlbook.claims.ClaimFailed: DANN beats source-only by 20 points [gain = 0.140]
        >>> claim("ADDA beats DANN", NotRun("adda-mnist-usps") > 0.8)
        claim not checked: not yet run (adda-mnist-usps): ADDA beats DANN
    """
    truths = [_truth(one) for one in holds] if isinstance(holds, list | tuple) else [_truth(holds)]
    if not truths:
        raise TlbookError(f"the claim {sentence!r} has no condition; expected one or more comparisons")
    unknown = [one for one in truths if isinstance(one, NotRun)]
    if len(unknown) < len(truths) and not all(one for one in truths if not isinstance(one, NotRun)):
        raise ClaimFailed(_line(sentence, measured))
    if unknown:
        print(f"claim not checked: not yet run ({', '.join(unknown[0]._with(*unknown)._missing)}): {sentence}")
    else:
        print(f"claim holds: {_line(sentence, measured)}")


def _truth(value: object) -> bool | NotRun:
    """The truth of one condition; what is neither true nor false is refused."""
    if isinstance(value, bool | NotRun):
        return value
    kind = str(getattr(value, "dtype", ""))
    if kind.removeprefix("torch.") == "bool":
        return bool(value)  # of several values it is ambiguous, and both libraries say so
    raise TlbookError(
        f"a claim is given {type(value).__name__}; expected true or false: compare what was measured with a bound"
    )


def _line(sentence: str, measured: dict[str, Any]) -> str:
    shown = (value if isinstance(value, NotRun) else float(value) for value in measured.values())
    margins = ", ".join(f"{name} = {value:.3f}" for name, value in zip(measured, shown, strict=True))
    return f"{sentence} [{margins}]" if margins else sentence
