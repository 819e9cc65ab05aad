"""The TLS contexts of a pool."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import suppress

from app.core.errors import TARGET_MISCONFIGURED, GatewayError
from app.providers.pool.options import TlsOptions


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """
    Return a context that verifies certificates and host names and speaks TLS 1.2 or later, HTTP/1.1 inside.

    Raises:
        GatewayError: TARGET_MISCONFIGURED if a file cannot be read or is invalid.
    """
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
        if options.certificate_file is not None:
            context.load_cert_chain(options.certificate_file, options.key_file, password="")  # never asks a terminal
    except OSError as error:  # SSLError is one as well
        raise GatewayError(TARGET_MISCONFIGURED, f"The files for TLS cannot be used: {error}.") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class Trust:
    """
    The context for new connections; reloads certificates that were renewed on disk.

    Files that are invalid at that moment, for instance while they are being written, leave the context unchanged.

    Raises:
        GatewayError: TARGET_MISCONFIGURED if they cannot be used at the beginning.
    """

    def __init__(self, options: TlsOptions) -> None:
        self._options = options
        self._written = tuple(_written(options))
        self._context = client_context(options)

    @property
    def context(self) -> ssl.SSLContext:
        """Return it."""
        written = tuple(_written(self._options))
        if written != self._written:
            with suppress(GatewayError):
                self._context = client_context(self._options)
                self._written = written
        return self._context


def _written(options: TlsOptions) -> Iterator[tuple[int, int] | None]:
    """Yield the modification time in nanoseconds and the size of each file; None for a missing one."""
    for path in (options.ca_file, options.certificate_file, options.key_file):
        if path is not None:
            try:
                found = os.stat(path)  # noqa: PTH116 - a look at the system, microseconds before a connection is opened
            except OSError:
                yield None
            else:
                yield found.st_mtime_ns, found.st_size
