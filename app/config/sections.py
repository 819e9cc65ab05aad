"""The basic sections of the configuration; providers and routes are in `routing.py`, features in `features`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.config.fields import (
    Bytes,
    Count,
    Expected,
    Host,
    Lifetime,
    Number,
    Ratio,
    RetryWord,
    Seconds,
    Section,
    Whole,
)
from app.core.errors import Trigger

DEFAULT_TRIGGERS: frozenset[Trigger] = frozenset(
    {"timeout", "network", "rate_limit", "server_error", "circuit_open", "context_length"}
)


class Recycle(Section):
    """When a worker process is replaced by a new one; its calls are completed first."""

    max_requests: Count | None = Field(default=None, description="Requests that a worker serves; null has no end.")
    max_bytes: Bytes | None = Field(default=None, description="Resident memory of a worker, in bytes; null has no cap.")


class Server(Section):
    """Where the gateway listens, and what it accepts."""

    host: Host = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 listens on every interface.")
    port: Whole = Field(default=8080, ge=0, le=65_535, description="TCP port; 0 picks a free one.")
    workers: Whole = Field(default=1, ge=1, le=1024, description="Worker processes.")
    body_max_bytes: Bytes = Field(default=10_485_760, description="Largest request body, in bytes.")
    upload_max_bytes: Bytes | None = Field(
        default=None, description="Largest body that is passed on without being held; null is body_max_bytes."
    )
    hosts: tuple[Host, ...] = Field(default=(), description="Host names that may be asked for; [] takes any.")
    head_max_bytes: Annotated[Whole, Field(ge=1024, le=1_048_576)] = Field(
        default=65_536, description="Largest request line and headers, in bytes."
    )
    headers_max: Annotated[Whole, Field(ge=8, le=10_000)] = Field(default=100, description="Maximum request headers.")
    head_timeout_s: Seconds = Field(default=10, description="Seconds in which the head of a request must be there.")
    body_min_bytes_per_s: Annotated[Whole, Field(ge=0, le=1_000_000)] = Field(
        default=256, description="Slowest pace at which a body may come; 0 takes any."
    )
    connections_per_address: Count | None = Field(
        default=None, description="Maximum connections from one address; null has no bound."
    )
    loop_passes_max: Annotated[Whole, Field(ge=1, le=10)] = Field(
        default=1, description="Passes after which a request that comes back to the gateway is refused."
    )
    drain_s: Number = Field(default=30, ge=0, le=3600, description="Seconds that open calls get to finish on shutdown.")
    drain_delay_s: Number = Field(
        default=1, ge=0, le=600, description="Seconds after SIGTERM in which new calls are still taken, unready."
    )
    watch: bool = Field(default=True, description="Whether a changed file is taken over by itself.")
    recycle: Recycle = Recycle()


class Timeouts(Section):
    """How long each phase of a call may take, in seconds."""

    connect_s: Seconds = Field(default=5, description="Seconds to open a connection to a provider.")
    first_token_s: Seconds = Field(default=30, description="Seconds from the request to the first committing event.")
    response_s: Seconds | None = Field(
        default=None,
        description="Seconds that an attempt has for an answer that is not streamed. null: half of the rest, or all.",
    )
    idle_s: Seconds = Field(default=30, description="Longest silence in seconds inside a running answer.")
    total_s: Seconds = Field(default=300, description="Seconds for the whole call, retries and fallbacks included.")


class Validation(Section):
    """Limits on the size and content of requests."""

    max_messages: Count = Field(default=2048, description="Maximum messages in one request.")
    max_prompt_chars: Count = Field(default=2_000_000, description="Maximum characters of text in one request.")
    max_tools: Count = Field(default=512, description="Maximum tools in one request.")
    max_images: Count = Field(default=256, description="Maximum images in one request.")
    strict: bool = Field(default=True, description="Whether numbers out of range and unknown roles are refused.")
    max_json_depth: Whole = Field(default=64, ge=2, le=512, description="Deepest nesting of the JSON body.")
    allow_control_chars: bool = Field(
        default=False, description="Whether text may hold control characters other than tab and line breaks."
    )


class Admission(Section):
    """How many calls run at the same time, and how many may wait. Each process counts separately."""

    max_in_flight: Count | None = Field(
        default=None, description="Maximum concurrent calls, each to its last byte; null has no bound and no queue."
    )
    queue_max: Whole = Field(default=100, ge=0, le=10_000, description="Maximum calls that wait; 0 refuses at once.")
    queue_wait_s: Seconds = Field(default=5, description="Longest time in the queue, in seconds.")
    adaptive: bool = Field(
        default=False, description="Whether the limit moves below max_in_flight with the speed of the answers."
    )


class Retry(Section):
    """How one target is retried; delay = min(base_s * multiplier^n, max_s) * (1 +/- jitter)."""

    max_attempts: Whole = Field(
        default=3, ge=1, le=20, description="Tries per target, the first included; 1 never retries."
    )
    errors: Annotated[
        frozenset[RetryWord] | None,
        Expected('a list of failures to try again, such as ["network", "target_failed", 503]'),
    ] = Field(default=None, description="Which failures are tried again; null takes those that the errors page lists.")
    base_s: Number = Field(default=0.25, ge=0, le=60, description="Seconds before the first retry.")
    max_s: Number = Field(default=8, ge=0, le=600, description="Longest pause between two tries, in seconds.")
    multiplier: Number = Field(default=2, ge=1, le=10, description="Growth of the pause from try to try.")
    jitter: Ratio = Field(default=0.25, description="Share of the pause that chance moves up or down.")
    budget_ratio: Ratio = Field(default=0.2, description="Retries allowed per call, over time; caps retry storms.")
    budget_floor_per_s: Number = Field(
        default=3, ge=0, le=10_000, description="Retries per second that are always allowed, whatever the ratio."
    )


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


class Fallback(Section):
    """When the next target of a route is tried."""

    triggers: frozenset[Trigger] = Field(
        default=DEFAULT_TRIGGERS, description="Kinds of failure that move a call to the next target."
    )


class Resume(Section):
    """How clients resume streams after a lost connection."""

    enabled: bool = Field(default=False, description="Whether streams can be resumed, by GET /v1/streams/{id}.")
    window_s: Lifetime = Field(
        default=60, description="Seconds that a stream is kept after its end, and continues without a reader."
    )
    max_streams: Count = Field(default=1000, description="Maximum streams that can be resumed, per process.")
    max_bytes: Bytes = Field(default=67_108_864, description="Maximum bytes kept of all streams, per process.")
    stream_max_bytes: Bytes = Field(
        default=1_048_576, description="Maximum bytes of one stream; longer ones are dropped."
    )


class Streaming(Section):
    """How answers are relayed while they are produced."""

    buffer_bytes: Annotated[Whole, Field(ge=1024, le=16_777_216)] = Field(
        default=65_536, description="Bytes buffered per stream between provider and client."
    )
    overflow: Literal["block", "drop_oldest", "error"] = Field(
        default="block", description="What happens when the buffer is full; block slows the provider down."
    )
    keep_alive_s: Annotated[Number, Field(gt=0, le=3600)] = Field(
        default=15, description="Seconds of silence after which a keep-alive comment is sent."
    )
    commit: Literal["visible", "answer", "any_event"] = Field(
        default="visible", description="Which first event ends the time in which retries and fallbacks are possible."
    )
    on_disconnect: Literal["cancel", "drain"] = Field(
        default="cancel", description="What a client that leaves means for its provider; drain reads the answer on."
    )
    drain_max: Annotated[Whole, Field(ge=0, le=100_000)] = Field(
        default=100, description="Maximum answers that are read to the end after a disconnect, per process."
    )
    resume: Resume = Resume()
