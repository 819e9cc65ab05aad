"""The section `circuit_breaker`."""

from __future__ import annotations

from pydantic import Field

from app.config.fields import Count, Ratio, Seconds, Section, Whole


class CircuitBreaker(Section):
    """When a target that keeps failing is skipped."""

    enabled: bool = Field(default=True, description="Whether targets have circuits at all.")
    failure_threshold: Count = Field(default=5, description="Failures inside the window that open the circuit.")
    window_s: Seconds = Field(default=60, description="Length of the sliding window, in seconds.")
    failure_ratio: Ratio = Field(default=0.5, description="Least share of failed calls that opens the circuit.")
    open_s: Seconds = Field(default=30, description="Seconds before the first probe.")
    open_max_s: Seconds = Field(default=300, description="Longest time between probes, in seconds.")
    half_open_max_calls: Whole = Field(
        default=1, ge=1, le=1000, description="Probes at the same time, over all replicas."
    )
