"""A served model's signatures over REST, by their names in the SavedModel.

`serving.client` is what users ask with; this asks for every signature, in both forms of the API,
and gives what TensorFlow would: arrays. Not for judging answers (`agreement.py`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal

import httpx
import numpy as np

from components.serving_check.config import CheckFailedError

Form = Literal["instances", "inputs"]


class RefusedRequestError(Exception):
    """The server answered with an error.

    Args:
        status: The HTTP status.
        message: The server's words.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP status {status}: {message}")
        self.status = status
        self.message = message


class RestModel:
    """A model behind a server; a context manager, or call `close`.

    Args:
        url: The server's address.
        model_name: The model's name there.
        timeout_seconds: Time within which a request must be answered.
        exit_status: Gives the server process's exit status, None if it still runs after so many
            seconds.
    """

    def __init__(
        self,
        url: str,
        model_name: str,
        *,
        timeout_seconds: float,
        exit_status: Callable[[float], int | None],
    ) -> None:
        self._path = f"/v1/models/{model_name}"
        self._timeout_seconds = timeout_seconds
        self._exit_status = exit_status
        # The server gives up first, and says so.
        self._http = httpx.Client(base_url=url, timeout=timeout_seconds + 5.0, trust_env=False)

    def __enter__(self) -> RestModel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def signatures(self) -> dict[str, tuple[set[str], set[str]]]:
        """Names of inputs and outputs by signature, from the metadata API.

        Raises:
            CheckFailedError: No answer, or an error.
        """
        try:
            answer = self._request("GET", f"{self._path}/metadata")
        except RefusedRequestError as error:
            raise CheckFailedError(f"the metadata API answers {error}") from error
        definitions = answer["metadata"]["signature_def"]["signature_def"]
        return {
            name: (set(entry["inputs"]), set(entry["outputs"]))
            for name, entry in definitions.items()
        }

    def predict(
        self, signature: str, input_name: str, values: Sequence[bytes], *, form: Form = "inputs"
    ) -> dict[str, np.ndarray]:
        """Runs a signature that takes one list of byte strings.

        Args:
            signature: Its name.
            input_name: The name of its input.
            values: The input, [B].
            form: Of the request and its answer: `instances` row by row, `inputs` column by column.

        Returns:
            Outputs by name, each with B rows; strings as object arrays of bytes. An only output has
            the name "", since JSON does not tell it.

        Raises:
            RefusedRequestError: The server answered with an error.
            CheckFailedError: It did not answer.
        """
        encoded = [{"b64": base64.b64encode(value).decode("ascii")} for value in values]
        body: dict[str, Any] = {"signature_name": signature}
        body[form] = {input_name: encoded} if form == "inputs" else encoded
        answer = self._request("POST", f"{self._path}:predict", body)
        columns = answer["outputs"] if form == "inputs" else _columns(answer["predictions"])
        if not isinstance(columns, Mapping):
            columns = {"": columns}
        return {name: _array(column) for name, column in columns.items()}

    def _request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.TimeoutException as error:
            raise self._too_late(path) from error
        except httpx.TransportError as error:
            status = self._exit_status(1.0)
            if status is None:
                raise CheckFailedError(f"no answer to {path}: {error}") from error
            raise CheckFailedError(
                f"the model server ended with status {status} when it was asked for {path}"
            ) from error
        if response.status_code == httpx.codes.GATEWAY_TIMEOUT:
            raise self._too_late(path)
        if not response.is_success:
            try:
                message = str(response.json()["error"])
            except (ValueError, LookupError, TypeError):
                message = response.text
            raise RefusedRequestError(response.status_code, " ".join(message.split()))
        return response.json()

    def _too_late(self, path: str) -> CheckFailedError:
        return CheckFailedError(
            f"too slow: {path} was not answered within {self._timeout_seconds:g} s "
            "(serving_check.request_timeout_seconds)"
        )


def _columns(rows: Sequence[Any]) -> Any:
    """Rows of named values as columns of them; rows of a single output as they are."""
    if not rows or not isinstance(rows[0], Mapping) or set(rows[0]) == {"b64"}:
        return rows
    return {name: [row[name] for row in rows] for name in rows[0]}


def _array(values: Any) -> np.ndarray:
    """JSON's nested lists as an array, text and base64 as bytes."""
    plain = _plain(values)
    leaf = plain
    while isinstance(leaf, list) and leaf:
        leaf = leaf[0]
    # NumPy's own type for byte strings drops zeros at their ends.
    return np.array(plain, object if isinstance(leaf, bytes) else None)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return base64.b64decode(value["b64"])
    return value.encode() if isinstance(value, str) else value
