"""Claims: the sentences of the book that compare, as assertions that run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, NoReturn

import numpy as np

from tlbook.errors import TlbookError

__all__ = ["ClaimFailed", "Findings", "NotRun", "also_checked", "claim"]


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


@dataclass(frozen=True)
class Findings:
    """What one or several claims came to: in a notebook a ticked line each, elsewhere plain text.

    Attributes:
        lines: for each claim its fate (``"holds"`` or ``"not checked"``), its sentence, and what was measured.
        title: what the lines are folded under; open where it is empty.
    """

    lines: tuple[tuple[str, str, str], ...]
    title: str = ""

    def __repr__(self) -> str:
        texts = [
            f"claim holds: {sentence}" + (f" [{measured}]" if measured else "")
            if fate == "holds"
            else f"claim not checked: {measured}: {sentence}"
            for fate, sentence, measured in self.lines
        ]
        return "\n".join([self.title + ":", *texts] if self.title else texts)

    def _repr_html_(self) -> str:
        rows = [
            f'<p class="claim"><span aria-label="{fate}">{"✓" if fate == "holds" else "○"}</span> {escape(sentence)} '
            f"<small>{escape(measured)}</small></p>"
            for fate, sentence, measured in self.lines
        ]
        inside = "\n".join(rows)
        if not self.title:
            return inside
        return f'<details class="claims"><summary>{escape(self.title)} ({len(rows)})</summary>\n{inside}\n</details>'


_folded: list[tuple[str, str, str]] | None = None  # where claims gather while also_checked is open


@contextmanager
def also_checked(title: str = "What else was checked") -> Iterator[None]:
    """Fold the claims made inside under one line that a reader can open.

    Args:
        title: the line.

    Raises:
        TlbookError: where one is inside another.
        ClaimFailed: where a claim inside fails; those before it are shown first.

    Example:
        >>> with also_checked():
        ...     claim("the reversal changes no value", 0.0, below=1e-9)
        What else was checked:
        claim holds: the reversal changes no value [0, below 1e-09]
    """
    global _folded
    if _folded is not None:
        raise TlbookError("also_checked inside also_checked; expected one fold at a time")
    _folded = []
    try:
        yield
    finally:
        lines, _folded = _folded, None
        if lines:
            _show(Findings(tuple(lines), title))


def claim(sentence: str, value: object, *, above: object = None, below: object = None) -> None:
    """State a finding and check it: show one line where it holds, stop the chapter where it does not.

    The sentence says what is true for every seed, without a number; ``value`` is what was measured this time and the
    bounds are what it must keep to, so that the line can show them and the sentence cannot say another.

    Where there is no one number, ``value`` is a truth or a list of them, and no bound is given. A claim about a record
    that is not there (:class:`NotRun`) is *not checked*; it never holds.

    Args:
        sentence: the finding in words, without a final full stop.
        value: a number, or several that must all keep to the bounds; without a bound a bool, an array or tensor of one
            bool, a comparison with a number that is not yet measured, or a list of them, which must all hold.
        above: what every number must exceed.
        below: what no number may reach.

    Raises:
        ClaimFailed: where it does not hold, whatever else is missing; the message has the sentence and what was
            measured.
        TlbookError: where ``value`` is neither a number beside a bound nor a truth without one, or a bound is no
            number.

    Example:
        >>> claim("DANN reads more of the target than source-only", 0.91 - 0.77, above=0.10)
        claim holds: DANN reads more of the target than source-only [0.140, above 0.1]
        >>> claim("DANN reads far more than source-only", 0.91 - 0.77, above=0.20)
        Traceback (most recent call last):
        tlbook.claims.ClaimFailed: DANN reads far more than source-only [0.140, above 0.2]
        >>> claim("ADDA reads more than DANN", NotRun("adda-mnist-usps"), above=0.8)
        claim not checked: not yet run (adda-mnist-usps): ADDA reads more than DANN
    """
    bounds = {word: bound for word, bound in (("above", above), ("below", below)) if bound is not None}
    if bounds:
        truths, shown = _compared(sentence, value, bounds)
    else:
        truths = [_truth(one) for one in value] if isinstance(value, list | tuple) else [_truth(value)]
        shown = ""
    if not truths:
        raise TlbookError(f"the claim {sentence!r} has no condition; expected one or more comparisons")
    unknown = [one for one in truths if isinstance(one, NotRun)]
    if len(unknown) < len(truths) and not all(one for one in truths if not isinstance(one, NotRun)):
        raise ClaimFailed(f"{sentence} [{shown}]" if shown else sentence)
    if unknown:
        missing = ", ".join(unknown[0]._with(*unknown)._missing)
        line = ("not checked", sentence, f"not yet run ({missing})")
    else:
        line = ("holds", sentence, shown)
    if _folded is None:
        _show(Findings((line,)))
    else:
        _folded.append(line)


def _compared(sentence: str, value: object, bounds: dict[str, object]) -> tuple[list[bool | NotRun], str]:
    """Whether each number keeps to the bounds, and the words for the one that comes nearest to breaking them."""
    given = list(value) if isinstance(value, list | tuple) else [value]
    missing: list[bool | NotRun] = [one for one in [*given, *bounds.values()] if isinstance(one, NotRun)]
    known = [one for one in given if not isinstance(one, NotRun)]
    if missing and (not known or any(isinstance(bound, NotRun) for bound in bounds.values())):
        return missing, ""
    numbers = _floats(f"the claim {sentence!r}", known)
    limits = {word: _floats(f"{word} of the claim {sentence!r}", [bound]) for word, bound in bounds.items()}
    if several := next((word for word, limit in limits.items() if limit.size > 1), None):
        raise TlbookError(f"{several} of the claim {sentence!r} is several numbers; expected one bound for all")
    room = np.min([numbers - b if word == "above" else b - numbers for word, b in limits.items()], axis=0)
    said = ", ".join(f"{word} {limit.item():.3g}" for word, limit in limits.items())
    each = "" if numbers.size == 1 else f"nearest of {numbers.size}: "
    worst = room.argmin() if not np.isnan(room).any() else np.isnan(room).argmax()
    return [bool((room > 0).all()), *missing], f"{each}{_number(numbers[worst])}, {said}"


def _floats(what: str, values: list[Any]) -> np.ndarray:
    try:
        flat = np.concatenate([np.asarray(getattr(v, "detach", lambda v=v: v)(), dtype=float).ravel() for v in values])
    except (TypeError, ValueError):
        flat = np.empty(0)
    if not flat.size or any(v is None or isinstance(v, bool) or "bool" in str(getattr(v, "dtype", "")) for v in values):
        raise TlbookError(f"{what} is given {values!r:.60}; expected a number to compare with a bound, or several")
    return flat


def _number(value: Any) -> str:
    if isinstance(value, NotRun):
        return str(value)
    number = float(value)
    return f"{number:.3f}" if 5e-4 <= abs(number) < 1e5 else f"{number:.2g}"


def _show(findings: Findings) -> None:
    """In a notebook as a line of the page, elsewhere as text."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if shell:
        from IPython.display import display

        display(findings)  # type: ignore[no-untyped-call]
    else:
        print(findings)


def _truth(value: object) -> bool | NotRun:
    """The truth of one condition; what is neither true nor false is refused."""
    if isinstance(value, bool | NotRun):
        return value
    kind = str(getattr(value, "dtype", ""))
    if kind.removeprefix("torch.") == "bool":
        return bool(value)  # of several values it is ambiguous, and both libraries say so
    raise TlbookError(
        f"a claim is given {type(value).__name__}; expected true or false, or a number with above= or below="
    )
