"""Which model of which server a client talks to; not for how."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from urllib.parse import quote, urlsplit


@dataclasses.dataclass(frozen=True)
class Target:
    """A model behind a URL.

    Attributes:
        url: `http://…` or `https://…` for REST, `grpc://HOST:PORT` or `grpcs://HOST:PORT` for gRPC,
            with a final s encrypted.
        model_name: The model's name there.
        timeout: Seconds within which a request must be answered.
        version: The version that is to answer; None for what the server thinks best.
        label: Likewise, the label of a version.
        headers: Sent with every request, for proxies that want to know who asks.

    Raises:
        ValueError: A URL of another kind, a version and a label, or a timeout that is not positive.
    """

    url: str
    model_name: str
    timeout: float
    version: int | None = None
    label: str | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https", "grpc", "grpcs") or not parts.hostname:
            raise ValueError(
                f"{self.url!r} is no server's URL: http://HOST:PORT for REST, or grpc://HOST:PORT"
            )
        if self.is_grpc and (not parts.port or parts.path.strip("/")):
            raise ValueError(f"{self.url!r}: gRPC needs a port and no path, grpc://HOST:PORT")
        if self.version is not None and self.label is not None:
            raise ValueError("name a version or a label, not both")
        if not self.timeout > 0:
            raise ValueError(f"timeout must be positive, got {self.timeout}")

    @property
    def is_grpc(self) -> bool:
        """Whether the URL is one of gRPC."""
        return urlsplit(self.url).scheme.startswith("grpc")

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection uses TLS."""
        return urlsplit(self.url).scheme.endswith("s")

    @property
    def address(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        """What follows the model in a REST URL.

        >>> Target("http://localhost:8501", "m", 1.0, label="canary").path
        '/labels/canary'
        """
        if self.version is not None:
            return f"/versions/{self.version}"
        return f"/labels/{quote(self.label, safe='')}" if self.label is not None else ""
