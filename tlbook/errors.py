"""The one exception that tlbook raises for bad input."""


class TlbookError(ValueError):
    """Bad input: one line that says what was given, what was expected and what to do."""
