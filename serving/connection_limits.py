"""HTTP connections that end when no request comes: uvicorn's, with a limit of time.

uvicorn waits for ever for a connection's first request, and for the rest of a request's head: a few
hundred idle connections would take all that a process may have open. Not for how long a whole
request may take, its body included: `rest_api.py`.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

# A client has to be connected before it can ask, however little time an answer may take.
_LEAST_SECONDS = 1.0


def limited(seconds: float) -> type[H11Protocol]:
    """The protocol with a limit.

    Args:
        seconds: A connection on which no request is under way ends after this time, or one second
            if that is more, unless the client goes on taking what it was answered before.
    """
    limit = max(seconds, _LEAST_SECONDS)

    class Limited(H11Protocol):
        """A connection that is not kept for a client who sends no request."""

        _timer: asyncio.TimerHandle | None = None
        _unsent = 0

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._is_under_way():
                self._stop_waiting()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self._is_under_way():
                self._wait()

        def _is_under_way(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _wait(self) -> None:
            self._stop_waiting()
            self._unsent = self.transport.get_write_buffer_size()
            self._timer = self.loop.call_later(limit, self._end)

        def _stop_waiting(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _end(self) -> None:
            if 0 < self.transport.get_write_buffer_size() < self._unsent:
                self._wait()
            else:
                # Not `close`, which would wait until the client has taken the rest.
                self.transport.abort()

    return Limited
