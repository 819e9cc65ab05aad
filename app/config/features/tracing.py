"""OpenTelemetry spans."""

from __future__ import annotations

from pydantic import Field

from app.config.fields import Number, Section


class Tracing(Section):
    """OpenTelemetry spans."""

    enabled: bool = Field(default=False, description="Whether spans are exported.")
    endpoint: str | None = Field(default=None, description="Address of the OTLP collector.")
    sample_ratio: Number = Field(default=1.0, ge=0, le=1, description="Share of calls that are traced.")
