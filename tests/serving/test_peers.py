"""Requests over gRPC that only somebody on the server's own machine may send."""

from __future__ import annotations

import pathlib
import socket

import grpc
import pytest

from serving import peers
from serving.model_server import ServerOptions, serving_apis


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        ("ipv4:127.0.0.1:50000", True),
        ("ipv4:127.8.8.8:1", True),
        ("ipv6:%5B::1%5D:50000", True),
        ("ipv6:[::1]:50000", True),
        ("ipv6:%5B::ffff:127.0.0.1%5D:50000", True),
        ("unix:", True),
        ("unix:/run/socket", True),
        ("ipv4:192.0.2.1:50000", False),
        ("ipv4:0.0.0.0:1", False),
        ("ipv6:%5B::ffff:192.0.2.1%5D:50000", False),
        ("ipv6:%5B2001:db8::1%5D:50000", False),
        ("ipv6:%5Bfe80::1%25eth0%5D:50000", False),
        ("ipv4:localhost:50000", False),
        ("127.0.0.1:50000", False),
        ("", False),
    ],
)
def test_who_is_here(peer: str, local: bool):
    assert peers.is_local(peer) is local


def _own_address() -> str:
    """An address of this machine that is not its loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but the loopback")
        return probe.getsockname()[0]


def test_models_are_not_reloaded_from_elsewhere(add_folder: pathlib.Path, tmp_path: pathlib.Path):
    from tensorflow_serving.apis import (
        get_model_status_pb2,
        model_management_pb2,
        model_service_pb2_grpc,
    )

    address = _own_address()
    with socket.create_server((address, 0)) as probe:
        port = probe.getsockname()[1]
    request = model_management_pb2.ReloadConfigRequest()
    config = request.config.model_config_list.config.add(name="evil", model_platform="tensorflow")
    config.base_path = str(tmp_path)
    options = ServerOptions(str(add_folder), model_name="add", rest_api_host=address)
    with (
        serving_apis(options, grpc_port=port) as found,
        grpc.insecure_channel(str(found.grpc_address)) as channel,
    ):
        service = model_service_pb2_grpc.ModelServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            service.HandleReloadConfigRequest(request, 20)
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "own machine alone" in caught.value.details()
        status = get_model_status_pb2.GetModelStatusRequest()
        status.model_spec.name = "add"
        assert service.GetModelStatus(status, 20).model_version_status[0].version == 4
