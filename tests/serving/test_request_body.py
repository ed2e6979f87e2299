"""Gzip bodies, made by the standard library."""

import gzip

import pytest

from serving import request_body
from serving.errors import Code, ServingError


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_other_bodies_are_left_alone(encoding):
    assert request_body.decode(b"\x1f\x8b", encoding) == b"\x1f\x8b"


def test_one_or_several_members():
    body = gzip.compress(b"half ") + gzip.compress(b"and half")
    assert request_body.decode(body, "GZIP") == b"half and half"


def test_the_limit_is_on_what_is_inside():
    body = gzip.compress(bytes(1000))
    assert len(request_body.decode(body, "gzip", limit=1000)) == 1000
    with pytest.raises(ServingError, match="more than 999 bytes") as caught:
        request_body.decode(body, "gzip", limit=999)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_no_body():
    assert request_body.decode(b"", "gzip") == b""


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"plain", id="plain"),
        pytest.param(gzip.compress(b"x" * 100)[:-4], id="cut"),
        pytest.param(b"\x1f\x8b\x08" + bytes(30), id="header-only"),
    ],
)
def test_broken_bodies(body):
    with pytest.raises(ServingError, match="uncompress"):
        request_body.decode(body, "gzip")
