"""Validate addresses of Redis, which `app/state/link/connecting.py` uses."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

_SCHEMES: Final = frozenset(
    f"{scheme}{kind}" for scheme in ("redis", "rediss", "valkey", "valkeys") for kind in ("", "+sentinel", "+cluster")
)
# The supported options of redis-py; the gateway sets timeouts, pools and encodings itself.
_OPTIONS: Final = frozenset(
    {"db", "client_name", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password"}
    | {"ssl_cert_reqs", "ssl_check_hostname", "username", "password"}
)


def is_redis_address(text: str) -> bool:
    """Return whether scheme, hosts, ports, database and options are valid."""
    try:
        parts = urlsplit(text)
        options = parse_qsl(parts.query, strict_parsing=bool(parts.query))
        return _is_valid(parts) and all(name in _OPTIONS for name, _ in options) and not parts.fragment
    except ValueError:
        return False


def _is_valid(parts: SplitResult) -> bool:
    if parts.scheme == "unix":
        return len(parts.path) > 1
    if parts.scheme not in _SCHEMES:
        return False
    hosts = parts.netloc.rpartition("@")[2].split(",")
    name, _, database = parts.path.strip("/").partition("/")
    if parts.scheme.endswith("+sentinel"):
        return bool(name) and _is_number(database) and all(map(_is_host, hosts))
    if parts.scheme.endswith("+cluster"):
        return not name and all(map(_is_host, hosts))
    return len(hosts) == 1 and _is_host(hosts[0]) and _is_number(name) and not database


def _is_host(text: str) -> bool:
    host = urlsplit(f"//{text}")
    return bool(host.hostname) and host.port != 0


def _is_number(text: str) -> bool:
    return not text or text.isdecimal()
