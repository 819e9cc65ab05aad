"""The way of spans to their collector leads nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

import pytest

from app.telemetry.tracing.exporting import Export, ExportOptions
from tests.e2e.support.collector import collecting, collecting_grpc


@contextmanager
def listening(elsewhere: str = "") -> Iterator[tuple[str, list[str]]]:
    """Run a server that notes who asks for what, and sends everybody `elsewhere`."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(307)
            self.send_header("location", f"{elsewhere}/stolen")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def exported(endpoint: str, protocol: str = "http") -> Export:
    """Export one span, wait until that is over, and return the way it took."""
    options = ExportOptions(
        endpoint, "grpc" if protocol == "grpc" else "http", {"x-key": "secret"}, 5.0, None, MappingProxyType({}),
        "1.2.3", 1.0, follow_caller=False,
    )  # fmt: skip
    export = Export(options, lambda: 0.5)
    export.of_routes().get_tracer("test").start_span("one").end()
    export.close()
    return export


def test_no_redirect_is_followed() -> None:
    """A collector cannot send spans, and the credentials in their headers, to another place."""
    with listening() as (other, stolen), listening(other) as (collector, asked):
        exported(collector)

        assert set(asked) == {"/v1/traces"}
        assert stolen == []


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    """Variables that name a proxy change nothing."""
    with listening() as (proxy, asked), collecting() if protocol == "http" else collecting_grpc() as collector:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.setenv("no_proxy", "")

        export = exported(collector.url, protocol)

        assert (export.lost, asked) == (0, [])
        assert [span.name for span in collector.spans()] == ["one"]
