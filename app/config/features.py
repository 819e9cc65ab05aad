"""The sections of single features; `unbuilt.py` says which of them are still closed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from app.config.fields import Bytes, Count, KeyPrefix, Lifetime, Number, Ratio, RedisUrl, Seconds, Section, Whole

Detector = Literal["email", "phone", "credit_card", "iban", "ssn", "ip", "secrets"]


class RedisFail(Section):
    """What happens to each feature while Redis is out of reach."""

    circuits: Literal["local", "open", "closed"] = Field(
        default="local", description="local decides per process, open lets every call through, closed refuses them."
    )


class Redis(Section):
    """The store that several processes share."""

    url: RedisUrl = Field(default=None, description="Address of Redis; null keeps state in memory, in one process.")
    timeout_s: Annotated[Number, Field(ge=0.001, le=5)] = Field(
        default=0.05, description="Seconds that a call waits for Redis at most."
    )
    connect_s: Annotated[Number, Field(ge=0.01, le=60)] = Field(
        default=2, description="Seconds to open a connection to Redis, in the background."
    )
    key_prefix: KeyPrefix = Field(default="wizard", description="Beginning of every key; one for each gateway.")
    fail: RedisFail = Field(default_factory=RedisFail, description="What happens while Redis is out of reach.")


class Auth(Section):
    """Who may call."""

    required: bool = Field(default=False, description="Whether every call needs a virtual key.")


class Redaction(Section):
    """What is taken out of prompts before they leave."""

    enabled: bool = Field(default=False, description="Whether prompts are redacted.")
    detectors: tuple[Detector, ...] = Field(
        default=("email", "phone", "credit_card", "iban", "ssn", "ip", "secrets"), description="What is looked for."
    )
    action: Literal["tokenize"] = Field(default="tokenize", description="What happens with a find.")
    streaming_window_chars: Count = Field(
        default=128, description="Characters held back in a stream to find split matches."
    )


class Injection(Section):
    """What happens with prompts that look like an injection."""

    policy: Literal["none", "observe", "flag", "block"] = Field(default="none", description="What happens with a find.")


class Guards(Section):
    """Checks on the meaning of a prompt."""

    injection: Injection = Field(default_factory=Injection, description="Prompt injection.")


class Admin(Section):
    """The administration endpoints."""

    token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token of /admin; empty means that /admin answers 404."
    )


class SemanticCache(Section):
    """Answers for prompts that mean the same."""

    enabled: bool = Field(default=False, description="Whether similar prompts share an answer.")


class Cache(Section):
    """Stored answers."""

    enabled: bool = Field(default=False, description="Whether complete answers are stored.")
    ttl_s: Lifetime = Field(default=3600, description="Seconds that a stored answer is used.")
    max_entries: Count = Field(default=1000, description="Most stored answers.")
    max_bytes: Bytes = Field(default=104_857_600, description="Most bytes of stored answers.")
    eviction: Literal["lru", "lfu", "fifo"] = Field(
        default="lru", description="Which answer goes first when it is full."
    )
    scope: Literal["key"] = Field(default="key", description="Who shares answers: the callers with the same key.")
    semantic: SemanticCache = Field(default_factory=SemanticCache, description="Matching by meaning.")


class CircuitBreaker(Section):
    """When a target that keeps failing is left alone."""

    enabled: bool = Field(default=True, description="Whether targets have circuits at all.")
    failure_threshold: Count = Field(default=5, description="Failures inside the window that open the circuit.")
    window_s: Seconds = Field(default=60, description="Length of the sliding window, in seconds.")
    failure_ratio: Ratio = Field(default=0.5, description="Least share of failed calls that opens the circuit.")
    open_s: Seconds = Field(default=30, description="Seconds before the first probe.")
    open_max_s: Seconds = Field(default=300, description="Longest time between probes, in seconds.")
    half_open_max_calls: Whole = Field(
        default=1, ge=1, le=1000, description="Probes at the same time, over all replicas."
    )


class Sessions(Section):
    """Where conversations are kept."""

    store: Literal["memory", "file", "sqlite", "redis"] = Field(default="memory", description="Kind of store.")
    path: str | None = Field(default=None, description="File or directory of the stores that need one.")
    ttl_s: Lifetime = Field(default=86_400, description="Seconds after its last use that a session is kept.")
    max_bytes: Bytes = Field(default=1_048_576, description="Largest session, in bytes.")


class Tracing(Section):
    """OpenTelemetry spans."""

    enabled: bool = Field(default=False, description="Whether spans are exported.")
    endpoint: str | None = Field(default=None, description="Address of the OTLP collector.")
    sample_ratio: Number = Field(default=1.0, ge=0, le=1, description="Share of calls that are traced.")
