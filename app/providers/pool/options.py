"""The settings of the pool, with defaults that suit LLM providers."""

from __future__ import annotations

import msgspec


class TlsOptions(msgspec.Struct, frozen=True):
    """
    The trusted CAs and the client certificate, as paths of PEM files.

    `ca_file` is trusted instead of the system's store. `certificate_file` is shown to servers that ask for a client
    certificate; its private key is in `key_file`, or in the same file if that is None.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


class PoolOptions(msgspec.Struct, frozen=True):
    """
    The bounds of one pool.

    Args:
        connections_max: Open connections of all origins together, idle ones included.

        per_origin_max: The same for one origin: less than all, so that one slow provider leaves room for the others.

        idle_s: How long a connection may be idle before it is closed. Below the usual 60 s and more of load balancers,
            so that the pool nearly always closes first.

        age_s: No connection is used again when it is older than this, so that a change in DNS takes effect.

        head_max_bytes: Of a status line and headers together. Between two pieces of a body no more than this may be
            spent on chunk sizes, their extensions and trailers either.

        headers_max: Headers in one answer.

        buffer_max_bytes: Of a received body that is not yet read. Beyond it the connection is not read, so that at
            most this and one read of the event loop (256 KiB) are held per answer.

        write_s: How long a peer may read nothing of a body that is sent piece by piece.

        tls: For every `https` origin.
    """

    connections_max: int = 4096
    per_origin_max: int = 2048
    idle_s: float = 50.0
    age_s: float = 900.0
    head_max_bytes: int = 64 * 1024
    headers_max: int = 256
    buffer_max_bytes: int = 64 * 1024
    write_s: float = 30.0
    tls: TlsOptions = TlsOptions()
