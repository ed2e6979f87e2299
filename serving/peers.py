"""Who is at the other end of a gRPC connection: somebody on this machine, or from elsewhere."""

from __future__ import annotations

import ipaddress
from urllib.parse import unquote


def is_local(peer: str) -> bool:
    """Whether a peer is on the server's own machine.

    Args:
        peer: As gRPC names it, `ipv4:127.0.0.1:50000`, `ipv6:%5B::1%5D:50000` or `unix:PATH`.

    >>> is_local("ipv4:127.0.0.1:50000"), is_local("ipv4:192.0.2.1:50000")
    (True, False)
    """
    kind, _, place = peer.partition(":")
    if kind == "unix":
        return True
    host = unquote(place).rpartition(":")[0].strip("[]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # nothing that is known
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
