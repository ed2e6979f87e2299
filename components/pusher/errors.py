"""Errors of publishing that a user meets; apart, since the command line must not load TFX."""

from __future__ import annotations


class HeldError(RuntimeError):
    """A push that a rollback holds back; the message says since when, and how to go on."""


class RollbackError(ValueError):
    """A rollback that cannot be; the message says why, and which versions there are."""
