"""A provider that speaks HTTP/2 over TLS and nothing else: it answers every request with the same bytes."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded

from tests.e2e.support.upstream import LIMIT_S


@dataclass
class Http2Upstream:
    """Answers with `body` of the type `media_type`, and keeps the headers and bodies of what it was asked."""

    context: ssl.SSLContext
    body: bytes = b""
    media_type: str = "application/json"
    headers: list[dict[bytes, bytes]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def serve(self, listening: socket.socket) -> None:
        """Take one connection after the other until the socket is closed."""
        with suppress(OSError):
            while True:
                accepted, _ = listening.accept()
                accepted.settimeout(LIMIT_S)
                with suppress(OSError), self.context.wrap_socket(accepted, server_side=True) as connection:
                    self._talk(connection)

    def _talk(self, connection: ssl.SSLSocket) -> None:
        spoken = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        spoken.initiate_connection()
        connection.sendall(spoken.data_to_send())
        while data := connection.recv(65_536):
            for event in spoken.receive_data(data):
                self._hear(event, spoken)
            connection.sendall(spoken.data_to_send())

    def _hear(self, event: Event, spoken: H2Connection) -> None:
        if isinstance(event, RequestReceived):
            self.headers.append({bytes(name): bytes(value) for name, value in event.headers})
            self.bodies.append(b"")
        elif isinstance(event, DataReceived):
            self.bodies[-1] += event.data
            spoken.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            spoken.send_headers(event.stream_id, [(":status", "200"), ("content-type", self.media_type)])
            spoken.send_data(event.stream_id, self.body, end_stream=True)


@contextmanager
def speaking_http2(context: ssl.SSLContext) -> Iterator[tuple[Http2Upstream, int]]:
    """Run the provider; lend it and its port."""
    context.set_alpn_protocols(["h2"])
    upstream = Http2Upstream(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=upstream.serve, args=(listening,), daemon=True)
        serving.start()
        try:
            yield upstream, listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            serving.join(LIMIT_S)
