"""HTTP clients that cost next to nothing, for load on the machine that also serves.

Requests are bytes made beforehand, and answers are cut out of the stream.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Answer(NamedTuple):
    """One exchange.

    Attributes:
        status: HTTP status.
        body: Of the answer.
        seconds: From the first byte sent to the last one read.
    """

    status: int
    body: bytes
    seconds: float


def predict_request(images: Sequence[bytes], model: str, signature: str = "") -> bytes:
    """A whole HTTP request for some encoded images."""
    instances = [{"b64": base64.b64encode(image).decode()} for image in images]
    body = json.dumps({"signature_name": signature, "instances": instances}).encode()
    return raw_request(f"/v1/models/{model}:predict", body)


def raw_request(path: str, body: bytes) -> bytes:
    """A whole HTTP request with any body."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Connection:
    """A connection that is kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        """Connects."""
        return cls(*await asyncio.open_connection(host, port, limit=2**26))

    async def ask(self, request: bytes) -> Answer:
        """Sends a whole request and reads the answer.

        Raises:
            OSError: or asyncio.IncompleteReadError, if the server hangs up.
        """
        started = time.perf_counter()
        self._writer.write(request)
        await self._writer.drain()
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await self._reader.readexactly(size)
        return Answer(int(head.split(None, 2)[1]), body, time.perf_counter() - started)

    def close(self) -> None:
        """Hangs up."""
        self._writer.close()


async def keep_asking(
    host: str,
    port: int,
    requests: Sequence[bytes],
    clients: int,
    until: Callable[[], bool],
) -> list[Answer]:
    """Has so many clients ask, one request after the other each, until told to stop."""
    answers: list[Answer] = []

    async def ask(number: int) -> None:
        connection = await Connection.open(host, port)
        try:
            turn = number
            while not until():
                answers.append(await connection.ask(requests[turn % len(requests)]))
                turn += clients
        finally:
            connection.close()

    await asyncio.gather(*map(ask, range(clients)))
    return answers
