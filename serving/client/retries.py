"""How often, and after how long, a request is sent again that a server could not take."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator

from serving.client.errors import (
    ModelNotFoundError,
    RequestTimeoutError,
    ServerUnavailableError,
)


@dataclasses.dataclass(frozen=True)
class Retries:
    """Exponential back-off with jitter: clients that failed together do not come back together.

    The n-th wait is a random time up to `first_wait * 2**n` seconds, at most `longest_wait` (the
    "full jitter" of Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015), or as
    long as the server has asked for. Every request of this client may be repeated: none changes
    anything.

    Attributes:
        times: How often a request is sent again at most; 0 for never.
        first_wait: Seconds.
        longest_wait: Seconds; also the most that a server can ask for.

    Raises:
        ValueError: One of them is negative.
    """

    times: int = 3
    first_wait: float = 0.2
    longest_wait: float = 5.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"{field.name} must not be negative")

    def waits(self, chance: random.Random) -> Iterator[float]:
        """The times to wait, in seconds, one for each time.

        >>> [wait <= 0.2 * 2**n for n, wait in enumerate(Retries().waits(random.Random(0)))]
        [True, True, True]
        """
        for number in range(self.times):
            yield chance.uniform(0.0, min(self.longest_wait, self.first_wait * 2.0**number))

    def wait_after(self, error: ServerUnavailableError, waits: Iterator[float]) -> float:
        """How long to wait after a failure.

        Raises:
            ServerUnavailableError: The failure itself, if it is not to be tried again.
        """
        if isinstance(error, (ModelNotFoundError, RequestTimeoutError)):
            raise error
        wait = next(waits, None)
        if wait is None:
            raise error
        return max(wait, min(error.retry_after or 0.0, self.longest_wait))
