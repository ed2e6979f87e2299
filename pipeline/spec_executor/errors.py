"""What may go wrong for reasons that a user can act on; each message names the input."""

from __future__ import annotations


class SpecExecutorError(RuntimeError):
    """An error whose message is all that the user needs."""


class SpecError(SpecExecutorError):
    """A spec that cannot be read, is not consistent, or asks for what is not supported."""


class ParameterError(SpecExecutorError):
    """A pipeline parameter that is unknown, missing, or has a value of another type."""


class StoreError(SpecExecutorError):
    """A store that is in use, or is not one."""


class LaunchError(SpecExecutorError):
    """Processes cannot be started in the way that was asked for."""


class TaskError(SpecExecutorError):
    """One task failed; the run goes on with what does not depend on it."""


class CancelledError(SpecExecutorError):
    """A task was stopped because the whole run is being stopped."""
