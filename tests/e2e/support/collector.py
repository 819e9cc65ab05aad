"""A collector of spans: takes what a gateway exports over OTLP/HTTP or OTLP/gRPC, and decodes it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.gateway import eventually


@dataclass(frozen=True)
class Span:
    """One span as it was exported."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    failed: bool
    start: int
    end: int
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Collector:
    """What was exported so far."""

    def __init__(self) -> None:
        self.url = ""
        self.headers: list[dict[str, str]] = []
        self.raw: list[bytes] = []
        self._spans: list[Span] = []
        self._lock = threading.Lock()

    def take(self, request: trace_service_pb2.ExportTraceServiceRequest, headers: dict[str, str], raw: bytes) -> None:
        """Keep one export."""
        found = [
            _span(message, {pair.key: _value(pair.value) for pair in resource.resource.attributes})
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for message in scope.spans
        ]
        with self._lock:
            self.headers.append(headers)
            self.raw.append(raw)
            self._spans += found

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._spans.clear()

    def spans(self, **attributes: object) -> list[Span]:
        """Return the spans with these attributes, `__` standing for a dot."""
        wanted = {name.replace("__", "."): value for name, value in attributes.items()}
        with self._lock:
            return [span for span in self._spans if wanted.items() <= span.attributes.items()]

    def trace_of(self, request_id: str) -> list[Span]:
        """Return all spans of one call in the order of their starts, once its root is there."""

        def root() -> list[Span]:
            return self.spans(wizard__request_id=request_id)

        eventually(root, f"no span of {request_id} was exported")
        trace_id = root()[0].trace_id
        with self._lock:
            return sorted((span for span in self._spans if span.trace_id == trace_id), key=lambda span: span.start)


def tree(spans: list[Span]) -> list[str]:
    """Return the names of a trace's spans in the order of their starts, each indented below its parent."""
    known = {span.span_id for span in spans}

    def below(parent: Span | None, depth: int) -> Iterator[str]:
        for span in spans:
            child = span.parent_id == parent.span_id if parent is not None else span.parent_id not in known
            if child:
                yield "  " * depth + span.name
                yield from below(span, depth + 1)

    return list(below(None, 0))


@contextmanager
def collecting() -> Iterator[Collector]:
    """Listen for OTLP over HTTP."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            headers = {name.lower(): value for name, value in self.headers.items()}
            collector.take(trace_service_pb2.ExportTraceServiceRequest.FromString(body), headers, body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield collector
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@contextmanager
def collecting_grpc() -> Iterator[Collector]:
    """Listen for OTLP over gRPC."""
    collector = Collector()

    class Service(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(  # noqa: N802 - the name in the protocol
            self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
        ) -> trace_service_pb2.ExportTraceServiceResponse:
            headers = {name: str(value) for name, value in context.invocation_metadata()}
            collector.take(request, headers, request.SerializeToString())
            return trace_service_pb2.ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Service(), server)  # type: ignore[no-untyped-call] # generated
    port = server.add_insecure_port("127.0.0.1:0")
    collector.url = f"http://127.0.0.1:{port}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()


def _span(message: SpanMessage, resource: dict[str, Any]) -> Span:
    return Span(
        name=message.name,
        trace_id=message.trace_id.hex(),
        span_id=message.span_id.hex(),
        parent_id=message.parent_span_id.hex(),
        kind=SpanMessage.SpanKind.Name(message.kind).removeprefix("SPAN_KIND_"),
        failed=message.status.code == Status.STATUS_CODE_ERROR,
        start=message.start_time_unix_nano,
        end=message.end_time_unix_nano,
        attributes=_attributes(message.attributes),
        resource=resource,
    )


def _attributes(pairs: Any) -> dict[str, Any]:  # noqa: ANN401 - protobuf's own kind of list
    return {pair.key: _value(pair.value) for pair in pairs if isinstance(pair, KeyValue)}


def _value(value: AnyValue) -> Any:  # noqa: ANN401 - whatever an attribute holds
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return None if kind is None else getattr(value, kind)
