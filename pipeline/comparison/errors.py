"""What can be wrong with runs that are to be compared."""


class NotComparableError(ValueError):
    """Runs that have no query in common, or that disagree on one; the message says which."""
