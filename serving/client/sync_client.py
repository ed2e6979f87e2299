"""The client for code without asyncio; see the package's docstring."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from serving.client import questions
from serving.client.errors import ServerUnavailableError
from serving.client.questions import Image, Question, read_answer
from serving.client.rest import RestTransport
from serving.client.results import ClassScore, ModelMetadata, Neighbour, VersionInfo
from serving.client.retries import Retries
from serving.client.target import Target

Answer = TypeVar("Answer")

DEFAULT_URL = "http://127.0.0.1:8501"
DEFAULT_MODEL = "flowers"
# Seconds between two looks at a server that is awaited.
WAIT_POLL = 0.2


class SimilarityClient:
    """Asks a server for images that look like others; a context manager, or call `close`.

    It may be used by several threads.

    Args:
        url: The server's address: `http://…` or `https://…` for REST, `grpc://HOST:PORT` or
            `grpcs://HOST:PORT` for gRPC.
        model_name: The model's name there.
        timeout: Seconds to wait for an answer.
        version: The version that is to answer; None for the newest.
        label: Likewise, the label of a version.
        retries: How often a request is sent again that the server could not take.
        headers: Sent with every request (gRPC: metadata), for instance `authorization`.

    Raises:
        ValueError: A URL of another kind, a version and a label, a timeout that is not positive.
        ImportError: gRPC without the packages that it needs.
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
            from serving.client.grpc_transport import GrpcTransport

            self._transport: RestTransport | GrpcTransport = GrpcTransport(target)
        else:
            self._transport = RestTransport(target)

    def __enter__(self) -> SimilarityClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def similar(self, image: Image, k: int | None = None) -> list[Neighbour]:
        """The images of the gallery that look most like one.

        Args:
            image: An encoded image's bytes, or the path of its file.
            k: How many; None for as many as the model gives.

        Returns:
            Best first; fewer than k where the gallery has no more.

        Raises:
            ValueError: k is less than 1 or more than the model gives.
            OSError: The file cannot be read.
            ClientError: One of its subclasses, see there.
        """
        return self.similar_batch([image], k)[0]

    def similar_batch(self, images: Sequence[Image], k: int | None = None) -> list[list[Neighbour]]:
        """`similar` for several images, in one request; one bad image fails the whole of it."""
        return self._ask(questions.similar(images, k)) if images else []

    def embed(self, image: Image) -> npt.NDArray[np.float32]:
        """The embedding of an image, a unit vector, float32 [D]; raises as `similar` does."""
        return self.embed_batch([image])[0]

    def embed_batch(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """`embed` for several images, at least one, in one request; [B, D]."""
        return self._ask(questions.embed(images))

    def classify(self, image: Image, k: int | None = 5) -> list[ClassScore]:
        """The k most probable classes of an image, best first; None for all of them."""
        return self._ask(questions.classify([image], k))[0]

    def thumbnails(self, ids: Sequence[str]) -> list[bytes]:
        """Small JPEG images of images of the gallery.

        Raises:
            RequestError: One of the ids is not in the gallery.
            ClientError: See `similar`.
        """
        return self._ask(questions.thumbnails(ids)) if ids else []

    def status(self) -> list[VersionInfo]:
        """The states of the model's versions, newest first.

        Raises:
            ClientError: One of its subclasses, see there.
        """
        return self._try(self._transport.status)

    def metadata(self) -> ModelMetadata:
        """The version that answers, and its signatures.

        Raises:
            ClientError: One of its subclasses, see there.
        """
        return self._try(self._transport.metadata)

    def wait_until_available(self, timeout: float = 300.0) -> None:
        """Waits until the server is there and has a version that answers.

        Args:
            timeout: Seconds.

        Raises:
            ServerUnavailableError: It has not come so far in time; the last reason.
        """
        end = time.monotonic() + timeout
        while True:
            try:
                self._transport.metadata()
                return
            except ServerUnavailableError:
                if time.monotonic() + WAIT_POLL > end:
                    raise
            time.sleep(WAIT_POLL)

    def _ask(self, question: Question[Answer]) -> Answer:
        columns = self._try(lambda: self._transport.predict(question))
        return read_answer(question, columns, self._url)

    def _try(self, send: Callable[[], Answer]) -> Answer:
        waits = self._retries.waits(random.Random())
        while True:
            try:
                return send()
            except ServerUnavailableError as error:
                wait = self._retries.wait_after(error, waits)
            time.sleep(wait)
