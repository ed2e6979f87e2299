"""The client for asyncio; what it is asked and how it answers is in `sync_client.py`."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from serving.client import questions
from serving.client.errors import ServerUnavailableError
from serving.client.questions import Image, Question, read_answer
from serving.client.rest import AsyncRestTransport
from serving.client.results import ClassScore, ModelMetadata, Neighbour, VersionInfo
from serving.client.retries import Retries
from serving.client.sync_client import DEFAULT_MODEL, DEFAULT_URL, WAIT_POLL
from serving.client.target import Target

Answer = TypeVar("Answer")


class AsyncSimilarityClient:
    """`SimilarityClient` for asyncio; an asynchronous context manager, or await `close`.

    Arguments and what its methods return and raise are those of `SimilarityClient`. Files are read
    in another thread. Make it in a coroutine: it belongs to the event loop that runs then.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        model_name: str = DEFAULT_MODEL,
        timeout: float = 30.0,
        *,
        version: int | None = None,
        label: str | None = None,
        retries: Retries = Retries(),  # noqa: B008 (it is frozen)
        headers: Mapping[str, str] | None = None,
    ) -> None:
        target = Target(url, model_name, timeout, version, label, headers or {})
        self._url, self._retries = url, retries
        if target.is_grpc:
            from serving.client.grpc_transport import AsyncGrpcTransport

            self._transport: AsyncRestTransport | AsyncGrpcTransport = AsyncGrpcTransport(target)
        else:
            self._transport = AsyncRestTransport(target)

    async def __aenter__(self) -> AsyncSimilarityClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._transport.close()

    async def similar(self, image: Image, k: int | None = None) -> list[Neighbour]:
        """The images of the gallery that look most like one."""
        return (await self.similar_batch([image], k))[0]

    async def similar_batch(
        self, images: Sequence[Image], k: int | None = None
    ) -> list[list[Neighbour]]:
        """`similar` for several images, in one request; one bad image fails the whole of it."""
        return await self._ask(lambda: questions.similar(images, k)) if images else []

    async def embed(self, image: Image) -> npt.NDArray[np.float32]:
        """The embedding of an image, a unit vector, float32 [D]."""
        return (await self.embed_batch([image]))[0]

    async def embed_batch(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """`embed` for several images, at least one, in one request; [B, D]."""
        return await self._ask(lambda: questions.embed(images))

    async def classify(self, image: Image, k: int | None = 5) -> list[ClassScore]:
        """The k most probable classes of an image, best first; None for all of them."""
        return (await self._ask(lambda: questions.classify([image], k)))[0]

    async def thumbnails(self, ids: Sequence[str]) -> list[bytes]:
        """Small JPEG images of images of the gallery."""
        return await self._ask(lambda: questions.thumbnails(ids)) if ids else []

    async def status(self) -> list[VersionInfo]:
        """The states of the model's versions, newest first."""
        return await self._try(self._transport.status)

    async def metadata(self) -> ModelMetadata:
        """The version that answers, and its signatures."""
        return await self._try(self._transport.metadata)

    async def wait_until_available(self, timeout: float = 300.0) -> None:
        """Waits until the server is there and has a version that answers."""
        end = time.monotonic() + timeout
        while True:
            try:
                await self._transport.metadata()
                return
            except ServerUnavailableError:
                if time.monotonic() + WAIT_POLL > end:
                    raise
            await asyncio.sleep(WAIT_POLL)

    async def _ask(self, make: Callable[[], Question[Answer]]) -> Answer:
        question = await asyncio.to_thread(make)
        columns = await self._try(lambda: self._transport.predict(question))
        return read_answer(question, columns, self._url)

    async def _try(self, send: Callable[[], Awaitable[Answer]]) -> Answer:
        waits = self._retries.waits(random.Random())
        while True:
            try:
                return await send()
            except ServerUnavailableError as error:
                wait = self._retries.wait_after(error, waits)
            await asyncio.sleep(wait)
