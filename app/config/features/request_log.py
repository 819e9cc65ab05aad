"""The section `request_log`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.config.fields import Section, Whole


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
