"""The error table, with every kind of failure, and the exception type that carries them."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, Self, TypeAlias

import msgspec

Category: TypeAlias = Literal[
    "configuration", "authentication", "permission", "network", "timeout", "rate_limit", "budget",
    "circuit_breaker", "validation", "parse", "session", "cache", "stream", "overloaded", "upstream", "internal",
]  # fmt: skip
Trigger: TypeAlias = Literal[
    "timeout", "network", "rate_limit", "server_error", "circuit_open", "context_length", "content_policy", "budget"
]


class Blame(Enum):
    """Whose fault a failure is; breakers count only TARGET."""

    CALLER = "caller"
    TARGET = "target"
    GATEWAY = "gateway"


class Again(Enum):
    """Where the gateway itself may retry the call: nowhere, at the same target, or at another one."""

    NEVER = "never"
    HERE = "here"
    ELSEWHERE = "elsewhere"


class Kind(msgspec.Struct, frozen=True):
    """
    One row of the error table.

    `retryable` tells the *client* whether sending the same request later can help; `again` tells the gateway where
    it may retry by itself; `trigger` is the name by which the configuration enables or disables fallback on this
    failure (None: `again` alone decides).
    """

    code: str
    status: int
    type: str
    category: Category
    blame: Blame
    again: Again
    retryable: bool
    suggestion: str
    trigger: Trigger | None = None


class GatewayError(Exception):
    """
    The only exception type that crosses a stage: a row of the error table, with the details of one failure.

    Args:
        message: One sentence for the caller. It may quote an upstream's own refusal of the caller's request, so it
            is shown to that caller and never logged.

        param: The path of the invalid field, such as `messages[0].role`.

        retry_after_s: Seconds after which a retry makes sense, if known.

        suggestion: Replaces the suggestion of the row.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        suggestion: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.suggestion = suggestion or kind.suggestion
        self.provider: str | None = None
        self.from_upstream = False
        self.upstream_status: int | None = None
        self.retries_spent = False  # by the gateway, in the call that shares this error
        self.limit: str | None = None
        self.allow: tuple[str, ...] = ()  # for a 405: the methods that the path supports

    def answered_by(self, provider: str) -> Self:
        """Mark the error as sent by the provider (`source: upstream`) and return it."""
        self.from_upstream = True
        return self.at(provider)

    def at(self, provider: str) -> Self:
        """Set the provider at which the gateway detected the error and return it."""
        self.provider = provider
        return self


_BAD, _API, _RATE = "invalid_request_error", "api_error", "rate_limit_error"
_CALLER, _TARGET, _GATEWAY = Blame
_NEVER, _HERE, _ELSEWHERE = Again

# code, status, type, category, blame, again, retryable, suggestion, trigger. `again` has no default on purpose: a new
# row must not become retryable by omission.
# fmt: off
INVALID_REQUEST: Final = Kind("invalid_request", 400, _BAD, "validation", _CALLER, _NEVER, False,
    "Correct what the message names ('param' is its place in the request, where it has one) and send it again.")
INVALID_JSON: Final = Kind("invalid_json", 400, _BAD, "parse", _CALLER, _NEVER, False,
    "Send one JSON object in UTF-8, without NaN, Infinity or unpaired surrogates.")
INVALID_HTTP: Final = Kind("invalid_http", 400, _BAD, "parse", _CALLER, _NEVER, False,
    "Send well-formed HTTP/1.1 with one 'host' header; a client library or the proxy in between may be at fault.")
WRONG_HOST: Final = Kind("wrong_host", 421, _BAD, "permission", _CALLER, _NEVER, False,
    "Use a name that the gateway is configured to answer to, or add this one to 'server.hosts'.")
HEAD_TOO_LARGE: Final = Kind("head_too_large", 431, _BAD, "validation", _CALLER, _NEVER, False,
    "Send fewer or shorter headers, or raise 'server.head_max_bytes' or 'server.headers_max'.")
REQUEST_TOO_SLOW: Final = Kind("request_too_slow", 408, "timeout_error", "timeout", _CALLER, _NEVER, True,
    "Send the request faster; or raise 'server.head_timeout_s', or lower 'server.body_min_bytes_per_s'.")
UNAUTHORIZED: Final = Kind("unauthorized", 401, "authentication_error", "authentication", _CALLER, _NEVER, False,
    "Send a valid gateway key as 'authorization: Bearer KEY' or 'x-api-key: KEY'.")
FORBIDDEN: Final = Kind("forbidden", 403, "permission_error", "permission", _CALLER, _NEVER, False,
    "Use a model (GET /v1/models lists them) and roles that this key may use, or ask for wider access.")
UNKNOWN_MODEL: Final = Kind("unknown_model", 404, _BAD, "validation", _CALLER, _NEVER, False,
    "Use a configured route name or 'provider/model'; GET /v1/models lists what there is.")
NOT_FOUND: Final = Kind("not_found", 404, _BAD, "validation", _CALLER, _NEVER, False,
    "Check the path; /docs lists every endpoint. An OpenAI SDK's base URL ends in '/v1'.")
METHOD_NOT_ALLOWED: Final = Kind("method_not_allowed", 405, _BAD, "validation", _CALLER, _NEVER, False,
    "Use one of the methods in the 'allow' header.")
CONFLICT: Final = Kind("conflict", 409, _BAD, "validation", _CALLER, _NEVER, False,
    "The provider reports a conflicting state; read the message and change the request.")
LOOP_DETECTED: Final = Kind("loop_detected", 400, _BAD, "configuration", _GATEWAY, _NEVER, False,
    "A provider's 'base_url' leads back to this gateway, perhaps through another one; let it name the provider itself.")
BODY_TOO_LARGE: Final = Kind("body_too_large", 413, _BAD, "validation", _CALLER, _NEVER, False,
    "Send a smaller request, or raise 'server.body_max_bytes' or 'server.upload_max_bytes' in the configuration.")
UNSUPPORTED_MEDIA_TYPE: Final = Kind("unsupported_media_type", 415, _BAD, "validation", _CALLER, _NEVER, False,
    "Send the body uncompressed with 'content-type: application/json'.")
UNPROCESSABLE: Final = Kind("unprocessable", 422, _BAD, "validation", _CALLER, _NEVER, False,
    "The provider understood the request but refuses its content; read the message and change it.")
IDEMPOTENCY_KEY_REUSED: Final = Kind("idempotency_key_reused", 422, _BAD, "validation", _CALLER, _NEVER, False,
    "Use a fresh key for each request, and the same one only to send the very same body again.")
UNSUPPORTED_FEATURE: Final = Kind("unsupported_feature", 400, _BAD, "validation", _CALLER, _ELSEWHERE, False,
    "Leave the named part out, or use a model whose provider supports it.")
CONTENT_BLOCKED: Final = Kind("content_blocked", 400, _BAD, "permission", _CALLER, _NEVER, False,
    "The content was refused by a policy; change it before sending it again.", "content_policy")
CONTEXT_TOO_LONG: Final = Kind("context_too_long", 400, _BAD, "validation", _CALLER, _ELSEWHERE, False,
    "Shorten the conversation, lower max_tokens, or use a model with a larger context window.", "context_length")
SESSION_NOT_FOUND: Final = Kind("session_not_found", 404, _BAD, "session", _CALLER, _NEVER, False,
    "Begin one with POST /v1/sessions and the same key, or send the whole conversation in 'messages'.")
SESSION_EXPIRED: Final = Kind("session_expired", 404, _BAD, "session", _CALLER, _NEVER, False,
    "Begin a new one with POST /v1/sessions, with the messages that shall be remembered, or raise 'sessions.ttl_s'.")
SESSION_FULL: Final = Kind("session_full", 400, _BAD, "session", _CALLER, _NEVER, False,
    "Fork it with 'last' to go on with its newest messages, begin a new one, or raise 'sessions.max_bytes'.")
STREAM_NOT_FOUND: Final = Kind("stream_not_found", 404, _BAD, "stream", _CALLER, _NEVER, False,
    "Send the request again; streams can be resumed where 'streaming.resume' is enabled, and for its 'window_s' only.")
RATE_LIMITED: Final = Kind("rate_limited", 429, _RATE, "rate_limit", _CALLER, _ELSEWHERE, True,
    "Wait for 'retry_after_s' and send fewer requests, or ask for a higher limit.", "rate_limit")
INSUFFICIENT_QUOTA: Final = Kind("insufficient_quota", 429, "insufficient_quota", "budget", _CALLER, _NEVER, False,
    "The budget is spent; wait for the next period or ask for a larger one.", "budget")
CLIENT_CLOSED: Final = Kind("client_closed", 499, _BAD, "network", _CALLER, _NEVER, False,
    "The client left before the answer was complete; raise its timeout if it did not mean to.")
CLIENT_TOO_SLOW: Final = Kind("client_too_slow", 408, _BAD, "stream", _CALLER, _NEVER, True,
    "Read the stream faster; or raise 'streaming.buffer_bytes', or set 'streaming.overflow' to block.")
TARGET_RATE_LIMITED: Final = Kind("target_rate_limited", 429, _RATE, "rate_limit", _TARGET, _ELSEWHERE, True,
    "The provider limits the gateway's own key; wait, add a fallback target, or raise the provider's limit.",
    "rate_limit")
TARGET_QUOTA_SPENT: Final = Kind("target_quota_spent", 429, "insufficient_quota", "budget", _GATEWAY, _ELSEWHERE, False,
    "The gateway's account at the provider is out of credit; the operator must top it up or add a fallback target.",
    "rate_limit")
TARGET_MODEL_MISSING: Final = Kind("target_model_missing", 404, _BAD, "configuration", _GATEWAY, _ELSEWHERE, False,
    "The provider has no such model (or the key may not use it); check the model's name at the provider.")
TARGET_MISCONFIGURED: Final = Kind("target_misconfigured", 502, _API, "configuration", _GATEWAY, _ELSEWHERE, False,
    "The provider refuses the gateway's own credentials or address; the operator must correct its settings.")
TARGET_UNAVAILABLE: Final = Kind("target_unavailable", 502, _API, "network", _TARGET, _HERE, True,
    "The provider could not be reached. Retry, or add a fallback target to this route.", "network")
TARGET_FAILED: Final = Kind("target_failed", 502, _API, "upstream", _TARGET, _HERE, True,
    "The provider failed. Retry, or add a fallback target to this route.", "server_error")
TARGET_BUSY: Final = Kind("target_busy", 503, "overloaded_error", "overloaded", _TARGET, _ELSEWHERE, True,
    "The provider is overloaded. Retry later, or add a fallback target to this route.", "server_error")
BAD_UPSTREAM_REPLY: Final = Kind("bad_upstream_reply", 502, _API, "parse", _TARGET, _HERE, True,
    "The provider's answer could not be understood. Retry; if it persists check the provider's 'kind' and 'base_url'.",
    "server_error")
TARGET_TIMEOUT: Final = Kind("target_timeout", 504, "timeout_error", "timeout", _TARGET, _HERE, True,
    "The provider reports that it ran out of time. Retry, or ask for less.", "timeout")
TIMEOUT_CONNECT: Final = Kind("timeout_connect", 504, "timeout_error", "timeout", _TARGET, _HERE, True,
    "No connection to the provider within 'timeouts.connect_s'. Retry, or check the network between them.", "timeout")
TIMEOUT_FIRST_TOKEN: Final = Kind("timeout_first_token", 504, "timeout_error", "timeout", _TARGET, _ELSEWHERE, True,
    "The provider sent nothing within 'timeouts.first_token_s'. Retry, raise it, or add a fallback target.", "timeout")
TIMEOUT_RESPONSE: Final = Kind("timeout_response", 504, "timeout_error", "timeout", _TARGET, _ELSEWHERE, True,
    "The provider had no whole answer within 'timeouts.response_s'. Stream, raise it, or add a fallback target.",
    "timeout")
TIMEOUT_IDLE: Final = Kind("timeout_idle", 504, "timeout_error", "timeout", _TARGET, _ELSEWHERE, True,
    "The provider fell silent for 'timeouts.idle_s' in the middle of an answer. Retry, or raise it.", "timeout")
TIMEOUT_TOTAL: Final = Kind("timeout_total", 504, "timeout_error", "timeout", _GATEWAY, _NEVER, True,
    "The call's whole time is spent. Ask for less, or raise 'timeouts.total_s' or the request's own timeout.")
NOT_CACHED: Final = Kind("not_cached", 504, _BAD, "cache", _CALLER, _NEVER, False,
    "Send the request without 'cache-control: only-if-cached' to have it answered by a provider.")
CIRCUIT_OPEN: Final = Kind("circuit_open", 503, "overloaded_error", "circuit_breaker", _TARGET, _ELSEWHERE, True,
    "The target failed too often and is resting; wait for 'retry_after_s' or add a fallback target.", "circuit_open")
OVERLOADED: Final = Kind("overloaded", 503, "overloaded_error", "overloaded", _GATEWAY, _ELSEWHERE, True,
    "The gateway has no room for this call right now; wait for 'retry_after_s'.")
STREAM_BROKEN: Final = Kind("stream_broken", 502, _API, "stream", _TARGET, _NEVER, True,
    "The answer broke off and is incomplete: discard it and send the request again.")
STATE_UNAVAILABLE: Final = Kind("state_unavailable", 503, _API, "cache", _GATEWAY, _NEVER, True,
    "The gateway's shared state is out of reach and its policy is to refuse; wait, or set 'fail: local'.")
CHECK_UNAVAILABLE: Final = Kind("check_unavailable", 503, _API, "internal", _GATEWAY, _NEVER, True,
    "A check that this route requires is out of reach and its policy is to refuse; wait, or set 'fail: open'.")
INTERNAL: Final = Kind("internal", 500, _API, "internal", _GATEWAY, _NEVER, True,
    "This is a fault of the gateway. Report it with the request id; the log holds the details.")
# fmt: on

KINDS: Final = tuple([kind for kind in globals().values() if isinstance(kind, Kind)])
