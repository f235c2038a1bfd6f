"""What a check says of an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from torch import Tensor

__all__ = ["Answer", "ask", "described"]


@dataclass(frozen=True)
class Answer:
    """The outcome of a check, which a notebook shows as a line of the page.

    Attributes:
        exercise: its title, such as ``"The sign"``.
        wrong: the sentence that says what is wrong; empty where the answer is right.
    """

    exercise: str
    wrong: str = ""

    @property
    def right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    def __repr__(self) -> str:
        return f"{self.exercise}: {self.wrong or 'right'}"

    def _repr_html_(self) -> str:
        sign, words = ("✓", "right") if self.right else ("○", self.wrong)
        return f'<p class="claim"><span>{sign}</span> <strong>{escape(self.exercise)}:</strong> {escape(words)}</p>'


def ask(function: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    """Call a reader's function, whatever it does.

    Args:
        function: the reader's.
        *arguments: what it is called with.

    Returns:
        What it returned, and the sentence that says what is wrong with that; one of the two is None or empty.

    Example:
        >>> ask(lambda x: x + 1, 1)
        (2, '')
        >>> ask(lambda x: ..., 1)
        (None, 'not answered yet: put your own line in place of the three dots')
        >>> ask(lambda: 0, 1)
        (None, 'your code stops: TypeError: <lambda>() takes 0 positional arguments but 1 was given')
    """
    try:
        value = function(*arguments)
    except Exception as error:  # it is the reader's code, which may raise anything
        return None, f"your code stops: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
    if value is ... or value is None:
        return None, "not answered yet: put your own line in place of the three dots"
    return value, ""


def described(value: Any) -> str:
    """What a reader's function returned, in words: the shape of a tensor, else the type.

    Example:
        >>> described(3.0)
        'float'
    """
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
