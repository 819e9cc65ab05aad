"""The section `idempotency`."""

from __future__ import annotations

from pydantic import Field

from app.config.fields import Bytes, Count, Lifetime, Section


class Idempotency(Section):
    """How long answers of calls with an idempotency key are stored for repeated calls."""

    enabled: bool = Field(default=True, description="Whether idempotency keys are heeded here; false passes them on.")
    ttl_s: Lifetime = Field(default=86_400, description="Seconds that an answer is kept.")
    max_entries: Count = Field(default=10_000, description="Maximum answers kept in memory.")
    entry_max_bytes: Bytes = Field(default=1_048_576, description="Largest answer that is kept, in bytes.")
    max_bytes: Bytes = Field(default=67_108_864, description="Maximum bytes of all answers kept in memory.")
