"""What the chapter on zero-shot learning runs on: handwritten digits, some of which are known from print alone."""

from __future__ import annotations

from dataclasses import dataclass

from tlbook._checks import check_choice
from tlbook.data import Domain, load
from tlbook.data.specimens import specimens
from tlbook.methods.zero_shot import problem as tasks
from tlbook.methods.zero_shot.problem import Digits, Problem
from tlbook.profiles import PROFILES

__all__ = ["Lesson", "digits"]

ALL = range(10)
NAMES = {"quick": "digits", "paper": "mnist"}
EXAMPLES = {"quick": 100, "paper": 200}  # of each digit, to learn from


@dataclass(frozen=True)
class Lesson:
    """Handwriting to learn from, a page of type that describes every digit, and handwriting to name.

    Attributes:
        practice: images of all ten digits; a problem takes those of the seen ones.
        page: each digit in 22 fonts.
        test: images to name.
        hand: what is read off ``practice``.
        printed: what is read off ``page``.
        asked: what is read off ``test``.
        held: the digits that are held out where nothing else is said.
        choices: twenty ways to hold out three digits, each digit in six of them.
        gamma: ESZSL's γ.
        alpha: ESZSL's α.
    """

    practice: Domain
    page: Domain
    test: Domain
    hand: Digits
    printed: Digits
    asked: Digits
    held: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]
    gamma: float
    alpha: float

    def problem(
        self,
        held: tuple[int, ...],
        reads: str = "measures",
        described_by: str = "measures",
        by_hand: bool = False,
        without: tuple[int, ...] = (),
        every: slice = slice(None),
    ) -> Problem:
        """Learn from all digits but some, and name these by their descriptions.

        Args:
            held: the digits held out.
            reads: what the images are given as, ``"measures"`` or ``"pictures"``.
            described_by: what the classes are described by, ``"measures"`` or ``"pictures"``.
            by_hand: whether the digits held out are described by handwriting, which in practice nobody has.
            without: further digits that are neither learned from nor asked for.
            every: which of the examples of each seen digit are learned from.

        Example:
            >>> digits("quick").problem((3, 6, 8)).signatures.shape
            (10, 28)
        """
        learn = self.hand.of(sorted(set(ALL) - {*held, *without}), every)
        asked = self.asked.of(sorted(set(ALL) - set(without)))
        return tasks.problem(reads, described_by, learn, self.hand if by_hand else self.printed, asked)

    def rehearsals(self, held: tuple[int, ...]) -> list[Problem]:
        """Problems made of the seen digits alone, in each of which two of them play the unseen."""
        learn = self.hand.of(sorted(set(ALL) - set(held)))
        return tasks.rehearsals(tasks.METHODS["ESZSL"], learn, self.printed)


def digits(profile: str = "quick", seed: int = 0) -> Lesson:
    """Handwritten digits and a page of type.

    Args:
        profile: ``"quick"`` for the digits of the package, ``"paper"`` for MNIST with twice as many examples.
        seed: of the draw of the images that are learned from.

    Raises:
        TlbookError: for another profile.

    Example:
        >>> lesson = digits("quick")
        >>> lesson.held, len(lesson.choices), lesson.hand.measures.shape
        ((3, 6, 8), 20, (1000, 28))
    """
    check_choice("profile", profile, PROFILES)
    practice, page = load(NAMES[profile]).per_class(EXAMPLES[profile], seed=seed), specimens()
    test = load(NAMES[profile], "test")
    steps = ((0, 3, 5), (0, 1, 4))
    choices = tuple(tuple(sorted((k + step) % len(ALL) for step in three)) for three in steps for k in ALL)
    return Lesson(
        practice,
        page,
        test,
        hand=tasks.describe(practice),
        printed=tasks.describe(page),
        asked=tasks.describe(test),
        held=(3, 6, 8),
        choices=choices,
        gamma=1000.0,
        alpha=1.0,
    )
