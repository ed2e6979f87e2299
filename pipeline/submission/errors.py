"""The error of submitting that is not a platform's own."""

from __future__ import annotations


class SubmissionError(Exception):
    """A spec, a schedule or data cannot be used; the message says what to do."""
