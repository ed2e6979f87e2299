"""A client for a served similarity model; needs neither TensorFlow nor the rest of the project.

    with SimilarityClient("http://127.0.0.1:8501") as client:
        for neighbour in client.similar("photo.jpg", k=5):
            print(neighbour.class_name, neighbour.score)

It speaks TensorFlow Serving's APIs, REST (`http://…`) or gRPC (`grpc://…`, for which grpcio and
protobuf are needed), so the server may be the embedded one or TensorFlow Serving itself.
`AsyncSimilarityClient` is the same for asyncio.
"""

from serving.client.async_client import AsyncSimilarityClient
from serving.client.errors import (
    BadImageError,
    ClientError,
    ModelNotFoundError,
    RequestError,
    RequestTimeoutError,
    ServerUnavailableError,
)
from serving.client.results import ClassScore, ModelMetadata, Neighbour, VersionInfo
from serving.client.retries import Retries
from serving.client.sync_client import SimilarityClient

__all__ = [
    "AsyncSimilarityClient",
    "BadImageError",
    "ClassScore",
    "ClientError",
    "ModelMetadata",
    "ModelNotFoundError",
    "Neighbour",
    "RequestError",
    "RequestTimeoutError",
    "Retries",
    "ServerUnavailableError",
    "SimilarityClient",
    "VersionInfo",
]
