"""Google Cloud Storage's HTTP API as TensorFlow, Beam and google-cloud-storage use it.

Objects: metadata, download with ranges, lists with pages, simple, multipart and resumable uploads,
rewrites, deletes, preconditions, and batches of these. A request that it does not know is answered
with 501, so that no test passes by accident. Not for sockets: `server.py`.
"""

from __future__ import annotations

import dataclasses
import email
import email.policy
import json
import re
import threading
import urllib.parse
import uuid
from collections.abc import Mapping
from typing import Any

from tests.object_store.buckets import Buckets, GenerationError, MissingError, StoredObject

_PAGE = 1000
_OBJECT = re.compile(r"/(?:download/)?storage/v1/b/([^/]+)/o/([^/]+)")
_REWRITE = re.compile(r"/storage/v1/b/([^/]+)/o/([^/]+)/(rewrite|copy)To/b/([^/]+)/o/([^/]+)")
_CHUNK = re.compile(r"bytes (?:\*|(\d+)-(\d+))/(\*|\d+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclasses.dataclass(frozen=True)
class Request:
    """What a client asks; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What it gets."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class _Session:
    """A resumable upload: nothing of it is there before its last byte."""

    bucket: str
    name: str
    content_type: str
    generation: int | None
    content: bytearray = dataclasses.field(default_factory=bytearray)


class StorageApi:
    """Answers requests about buckets.

    Attributes:
        log: What was done with content, in order: `GET`, `PUT` or `DELETE`, and `bucket/name`.
    """

    def __init__(self, buckets: Buckets, token: str | None = None) -> None:
        """Answers requests with this access token, or with any (None)."""
        self._buckets = buckets
        self._token = token
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()
        self.log: list[str] = []

    def answer(self, request: Request) -> Answer:
        """Does what a request asks for."""
        if self._token and request.headers.get("authorization") != f"Bearer {self._token}":
            return _error(401, "Anonymous caller does not have access")
        try:
            return self._route(request)
        except MissingError as error:
            return _error(404, f"No such {error}")
        except GenerationError as error:
            return _error(412, f"conditionNotMet: {error}")

    def _route(self, request: Request) -> Answer:
        path, method = request.path, request.method
        if path == "/batch/storage/v1" and method == "POST":
            return self._batch(request)
        if path.startswith("/upload/storage/v1/b/"):
            return self._upload(request)
        if match := _REWRITE.fullmatch(path):
            return self._rewrite(request, *map(urllib.parse.unquote, match.groups()))
        if match := _OBJECT.fullmatch(path):
            return self._object(request, *map(urllib.parse.unquote, match.groups()))
        if match := re.fullmatch(r"/storage/v1/b/([^/]+)(/o)?", path):
            bucket = urllib.parse.unquote(match[1])
            self._buckets.check(bucket)
            if method == "GET":
                return self._list(request, bucket) if match[2] else _json({"name": bucket})
        elif (match := re.fullmatch(r"/([^/]+)/(.+)", path)) and method == "GET":
            # The XML API, by which TensorFlow reads.
            return self._read(self._buckets.get(match[1], urllib.parse.unquote(match[2])), request)
        return _error(501, f"{method} {path} is not part of this API")

    def _object(self, request: Request, bucket: str, name: str) -> Answer:
        if request.method == "GET":
            stored = self._buckets.get(bucket, name, _number(request.query.get("generation")))
            if request.query.get("alt") == "media":
                return self._read(stored, request)
            return _json(stored.metadata())
        if request.method == "DELETE":
            self._buckets.delete(bucket, name, _number(request.query.get("ifGenerationMatch")))
            self.log.append(f"DELETE {bucket}/{name}")
            return Answer(204)
        return _error(501, f"{request.method} of an object is not part of this API")

    def _list(self, request: Request, bucket: str) -> Answer:
        query = request.query
        found = self._buckets.listing(bucket, query.get("prefix", ""), query.get("delimiter", ""))
        names = [item if isinstance(item, str) else item.name for item in found]
        # A page token is the last name before the page.
        found = [
            i for i, name in zip(found, names, strict=True) if name > query.get("pageToken", "")
        ]
        size = min(int(query.get("maxResults", _PAGE)), _PAGE)
        page = found[:size]
        answer: dict[str, Any] = {"kind": "storage#objects"}
        if items := [item.metadata() for item in page if not isinstance(item, str)]:
            answer["items"] = items
        if prefixes := [item for item in page if isinstance(item, str)]:
            answer["prefixes"] = prefixes
        if len(found) > size:
            last = page[-1]
            answer["nextPageToken"] = last if isinstance(last, str) else last.name
        return _json(answer)

    def _rewrite(
        self, request: Request, bucket: str, name: str, kind: str, to_bucket: str, to_name: str
    ) -> Answer:
        source = self._buckets.get(bucket, name, _number(request.query.get("sourceGeneration")))
        made = self._put(
            to_bucket,
            to_name,
            source.content,
            source.content_type,
            _number(request.query.get("ifGenerationMatch")),
        )
        if kind == "copy":
            return _json(made)
        size = str(len(source.content))
        done = {"done": True, "totalBytesRewritten": size, "objectSize": size, "resource": made}
        return _json({"kind": "storage#rewriteResponse", **done})

    def _upload(self, request: Request) -> Answer:
        query = request.query
        if "upload_id" in query:
            return self._resume(query["upload_id"], request)
        bucket = urllib.parse.unquote(request.path.split("/")[5])
        self._buckets.check(bucket)
        condition = _number(query.get("ifGenerationMatch"))
        kind = request.headers.get("content-type", "application/octet-stream")
        match query.get("uploadType"):
            case "media":
                return _json(self._put(bucket, query["name"], request.body, kind, condition))
            case "multipart":
                about, media = _parts(request)
                name = json.loads(about.body).get("name") or query["name"]
                kind = media.headers.get("content-type", "application/octet-stream")
                return _json(self._put(bucket, name, media.body, kind, condition))
            case "resumable":
                name = json.loads(request.body or b"{}").get("name") or query["name"]
                kind = request.headers.get("x-upload-content-type", "application/octet-stream")
                identity = uuid.uuid4().hex
                self._sessions[identity] = _Session(bucket, name, kind, condition)
                parameters = urllib.parse.urlencode(
                    {"uploadType": "resumable", "upload_id": identity}
                )
                host = request.headers["x-base-url"]
                return Answer(200, headers={"Location": f"{host}{request.path}?{parameters}"})
        return _error(501, f"uploadType={query.get('uploadType')} is not part of this API")

    def _resume(self, identity: str, request: Request) -> Answer:
        session = self._sessions.get(identity)
        if session is None:
            return _error(404, "no such upload")
        span = _CHUNK.fullmatch(request.headers.get("content-range", "bytes */*"))
        if span is None:
            return _error(400, f"Content-Range: {request.headers['content-range']}")
        first, _, total = span.groups()
        if first is not None:
            if int(first) != len(session.content):
                return _error(503, "a chunk that does not go on where the last one ended")
            session.content += request.body
        elif request.body and request.headers.get("content-range") is None:
            session.content += request.body
            total = str(len(session.content))
        if total != "*" and int(total) == len(session.content):
            del self._sessions[identity]
            content = bytes(session.content)
            made = self._put(
                session.bucket, session.name, content, session.content_type, session.generation
            )
            return _json(made)
        headers = {"Range": f"bytes=0-{len(session.content) - 1}"} if session.content else {}
        return Answer(308, headers=headers)

    def _batch(self, request: Request) -> Answer:
        boundary = f"batch_{uuid.uuid4().hex}"
        answers = []
        for part in _parts(request):
            head, _, body = part.body.replace(b"\r\n", b"\n").partition(b"\n\n")
            line, _, fields = head.decode().strip().partition("\n")
            method, target, _ = line.split(" ")
            headers = {k.lower(): v for k, v in email.message_from_string(fields).items()}
            headers.setdefault("authorization", request.headers.get("authorization", ""))
            answer = self.answer(parse(method, target, headers, body))
            answers.append(
                f"--{boundary}\r\nContent-Type: application/http\r\n"
                f"Content-ID: <response-{part.headers.get('content-id', '').strip('<>')}>\r\n\r\n"
                f"HTTP/1.1 {answer.status} \r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(answer.body)}\r\n\r\n{answer.body.decode()}\r\n"
            )
        text = "".join(answers) + f"--{boundary}--\r\n"
        return Answer(200, text.encode(), {"Content-Type": f"multipart/mixed; boundary={boundary}"})

    def _read(self, stored: StoredObject, request: Request) -> Answer:
        self.log.append(f"GET {stored.bucket}/{stored.name}")
        return _content(stored, request)

    def _put(
        self, bucket: str, name: str, content: bytes, kind: str, generation: int | None
    ) -> dict[str, str]:
        with self._lock:
            made = self._buckets.put(bucket, name, content, kind, generation)
            self.log.append(f"PUT {bucket}/{name}")
        return made.metadata()


def parse(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
    """Takes a request line apart."""
    # Paths stay quoted: a `/` in an object's name is `%2F`.
    url = urllib.parse.urlsplit(target)
    query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
    return Request(method, url.path, query, headers, body)


def _parts(request: Request) -> list[Request]:
    """The parts of a multipart body."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + request.body, policy=email.policy.HTTP)
    return [
        Request(
            "",
            "",
            {},
            {key.lower(): value for key, value in part.items()},
            _raw(part),
        )
        for part in message.iter_parts()
    ]


def _raw(part: Any) -> bytes:
    if part.get_content_type() == "application/http":
        return bytes(part.as_bytes().partition(b"\r\n\r\n")[2])
    return bytes(part.get_payload(decode=True))


def _content(stored: StoredObject, request: Request) -> Answer:
    """The object, or the range of it that is asked for."""
    about = {"Content-Type": stored.content_type, "X-Goog-Generation": str(stored.generation)}
    span = _RANGE.fullmatch(request.headers.get("range", ""))
    if span is None:
        return Answer(200, stored.content, about)
    size, first = len(stored.content), int(span[1])
    last = min(int(span[2]), size - 1) if span[2] else size - 1
    if first >= size:
        return Answer(416, headers={"Content-Range": f"bytes */{size}"})
    about["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Answer(206, stored.content[first : last + 1], about)


def _json(value: Any) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _error(status: int, message: str) -> Answer:
    body = {"error": {"code": status, "message": message, "errors": [{"message": message}]}}
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
