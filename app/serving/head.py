"""Check the head of a request: refuse ambiguous ones, other protocols, and other hosts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from app.core.errors import INVALID_HTTP, WRONG_HOST, GatewayError

_HOST: Final = re.compile(rb"[A-Za-z0-9._-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?")
_SINGLE: Final = frozenset({b"host", b"authorization", b"x-api-key", b"content-type", b"content-length"})


def fault_of(headers: Sequence[tuple[bytes, bytes]], version: str, hosts: frozenset[bytes]) -> GatewayError | None:
    """
    Return the error of a head, whose names are in lower case; None if it is valid.

    `hosts` are the accepted names in the Host header, without a port; if empty, all are.
    """
    names = [name for name, _ in headers if name in _SINGLE]
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1).decode()
        return GatewayError(INVALID_HTTP, f"The header {double!r} appears twice.", param=double)
    if version not in {"1.0", "1.1"}:
        return GatewayError(INVALID_HTTP, "The gateway speaks HTTP/1.1.")
    host = next((value for name, value in headers if name == b"host"), None)
    return None if host is None and version == "1.0" else _fault_of_host(host, hosts)


def _fault_of_host(host: bytes | None, hosts: frozenset[bytes]) -> GatewayError | None:
    if host is None:
        return GatewayError(INVALID_HTTP, "The header 'host' is missing.", param="host")
    if not _HOST.fullmatch(host):
        return GatewayError(INVALID_HTTP, "The header 'host' is no host name.", param="host")
    if hosts and _without_port(host) not in hosts:
        return GatewayError(WRONG_HOST, "This gateway is not asked under that name.", param="host")
    return None


def _without_port(host: bytes) -> bytes:
    name = host.lower()
    return name[1 : name.index(b"]")] if name.startswith(b"[") else name.partition(b":")[0]
