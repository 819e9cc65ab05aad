"""The sections `logging`, `metrics`, `request_log` and `tracing`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from app.config.fields import Expected, HeaderName, HeaderValue, HttpUrl, Ratio, Seconds, Section, Whole, lowered


class Logging(Section):
    """What is logged, and how."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lowered)] = Field(
        default="info", description="Least severe line that is kept."
    )
    format: Literal["json", "console"] = Field(
        default="json", description="One JSON object a line, or text for people."
    )


class Metrics(Section):
    """Whether Prometheus metrics are served."""

    enabled: bool = Field(default=True, description="Whether GET /metrics answers.")


class RequestLog(Section):
    """What is stored about finished calls: names, codes and numbers, never content."""

    enabled: bool = Field(default=False, description="Whether the last calls are kept, for GET /admin/requests.")
    max_entries: Annotated[Whole, Field(ge=1, le=10_000_000)] = Field(
        default=10_000, description="Maximum calls that are kept; in memory, by each worker."
    )
    store: Literal["memory", "sqlite", "redis"] = Field(
        default="memory", description="memory (until the process ends), sqlite (one machine) or redis (all replicas)."
    )
    path: str | None = Field(default=None, description="File of SQLite.")
    debug: Literal["auto", "always", "never"] = Field(
        default="auto", description="Who gets the story of its call with x-wizard-debug; see the page."
    )


SecretHeaders = Annotated[
    dict[HeaderName, SecretStr],
    Expected("a mapping of header names to texts"),
]
Attributes = Annotated[
    dict[str, HeaderValue],
    Expected("a mapping of names to texts of printable ASCII characters"),
]


class Tracing(Section):
    """OpenTelemetry spans."""

    enabled: bool = Field(default=False, description="Whether spans are exported.")
    endpoint: HttpUrl = Field(
        default=None,
        description="Address of the OTLP collector; null asks OTEL_EXPORTER_OTLP_ENDPOINT, then this machine.",
    )
    protocol: Literal["http", "grpc"] = Field(
        default="http", description="OTLP over HTTP (port 4318), or over gRPC (port 4317, needs the extra otlp-grpc)."
    )
    headers: SecretHeaders = Field(
        default_factory=dict, description="Headers sent with every export, such as a collector's key."
    )
    sample_ratio: Ratio = Field(default=1.0, description="Share of calls that are traced.")
    follow_caller: bool = Field(
        default=True, description="Whether a caller's traceparent decides if its call is traced, instead of the ratio."
    )
    service_name: str | None = Field(
        default=None, description="The name under which spans appear; null asks OTEL_SERVICE_NAME, then takes wizard."
    )
    attributes: Attributes = Field(
        default_factory=dict, description="Attributes of the resource, such as deployment.environment.name."
    )
    timeout_s: Seconds = Field(default=10, description="Seconds that the collector has to take a batch.")
