"""
Every way a call can fail: one closed table. `failures.py` says what a row is, and has the one exception type.

    code                     status  kind            blame    again      trigger
    invalid_request             400  validation      caller   never
    invalid_json                400  parse           caller   never
    invalid_http                400  parse           caller   never
    wrong_host                  421  permission      caller   never
    head_too_large              431  validation      caller   never
    request_too_slow            408  timeout         caller   never
    unauthorized                401  authentication  caller   never
    forbidden                   403  permission      caller   never
    unknown_model               404  validation      caller   never
    not_found                   404  validation      caller   never
    method_not_allowed          405  validation      caller   never
    conflict                    409  validation      caller   never
    loop_detected               400  configuration   gateway  never
    body_too_large              413  validation      caller   never
    unsupported_media_type      415  validation      caller   never
    unprocessable               422  validation      caller   never
    idempotency_key_reused      422  validation      caller   never
    unsupported_feature         400  validation      caller   elsewhere
    content_blocked             400  permission      caller   never      content_policy
    context_too_long            400  validation      caller   elsewhere  context_length
    session_not_found           404  session         caller   never
    session_expired             404  session         caller   never
    session_full                400  session         caller   never
    stream_not_found            404  stream          caller   never
    rate_limited                429  rate_limit      caller   elsewhere  rate_limit
    insufficient_quota          429  budget          caller   never      budget
    client_closed               499  network         caller   never
    client_too_slow             408  stream          caller   never
    target_rate_limited         429  rate_limit      target   elsewhere  rate_limit
    target_quota_spent          429  budget          gateway  elsewhere  rate_limit
    target_model_missing        404  configuration   gateway  elsewhere
    target_misconfigured        502  configuration   gateway  elsewhere
    target_unavailable          502  network         target   here       network
    target_failed               502  upstream        target   here       server_error
    target_busy                 503  overloaded      target   elsewhere  server_error
    bad_upstream_reply          502  parse           target   here       server_error
    target_timeout              504  timeout         target   here       timeout
    timeout_connect             504  timeout         target   here       timeout
    timeout_first_token         504  timeout         target   elsewhere  timeout
    timeout_response            504  timeout         target   elsewhere  timeout
    timeout_idle                504  timeout         target   elsewhere  timeout
    timeout_total               504  timeout         gateway  never
    not_cached                  504  cache           caller   never
    circuit_open                503  circuit_breaker target   elsewhere  circuit_open
    overloaded                  503  overloaded      gateway  elsewhere
    stream_broken               502  stream          target   never
    state_unavailable           503  cache           gateway  never
    check_unavailable           503  internal        gateway  never
    internal                    500  internal        gateway  never

`again` has no default on purpose: a new row cannot become retryable because somebody forgot to decide.
"""

from __future__ import annotations

from typing import Final

from app.core.failures import Again, Blame, Category, GatewayError, Kind, Trigger

__all__ = ["KINDS", "Again", "Blame", "Category", "GatewayError", "Kind", "Trigger"]

_BAD, _API = "invalid_request_error", "api_error"

INVALID_REQUEST: Final = Kind(
    "invalid_request", 400, _BAD, "validation", Blame.CALLER, Again.NEVER, False,
    "Correct what the message names ('param' is its place in the request, where it has one) and send it again.",
)  # fmt: skip
INVALID_JSON: Final = Kind(
    "invalid_json", 400, _BAD, "parse", Blame.CALLER, Again.NEVER, False,
    "Send one JSON object in UTF-8, without NaN, Infinity or unpaired surrogates.",
)  # fmt: skip
INVALID_HTTP: Final = Kind(
    "invalid_http", 400, _BAD, "parse", Blame.CALLER, Again.NEVER, False,
    "Send well-formed HTTP/1.1 with one 'host' header; a client library or the proxy in between may be at fault.",
)  # fmt: skip
WRONG_HOST: Final = Kind(
    "wrong_host", 421, _BAD, "permission", Blame.CALLER, Again.NEVER, False,
    "Use a name that the gateway is configured to answer to, or add this one to 'server.hosts'.",
)  # fmt: skip
HEAD_TOO_LARGE: Final = Kind(
    "head_too_large", 431, _BAD, "validation", Blame.CALLER, Again.NEVER, False,
    "Send fewer or shorter headers, or raise 'server.head_max_bytes' or 'server.headers_max'.",
)  # fmt: skip
REQUEST_TOO_SLOW: Final = Kind(
    "request_too_slow", 408, "timeout_error", "timeout", Blame.CALLER, Again.NEVER, True,
    "Send the request faster; or raise 'server.head_timeout_s', or lower 'server.body_min_bytes_per_s'.",
)  # fmt: skip
UNAUTHORIZED: Final = Kind(
    "unauthorized", 401, "authentication_error", "authentication", Blame.CALLER, Again.NEVER, False,
    "Send a valid gateway key as 'authorization: Bearer KEY' or 'x-api-key: KEY'.",
)  # fmt: skip
FORBIDDEN: Final = Kind(
    "forbidden", 403, "permission_error", "permission", Blame.CALLER, Again.NEVER, False,
    "Use a model (GET /v1/models lists them) and roles that this key may use, or ask for wider access.",
)  # fmt: skip
UNKNOWN_MODEL: Final = Kind(
    "unknown_model", 404, _BAD, "validation", Blame.CALLER, Again.NEVER, False,
    "Use a configured route name or 'provider/model'; GET /v1/models lists what there is.",
)  # fmt: skip
NOT_FOUND: Final = Kind(
    "not_found", 404, _BAD, "validation", Blame.CALLER, Again.NEVER, False,
    "Check the path; /docs lists every endpoint. An OpenAI SDK's base URL ends in '/v1'.",
)  # fmt: skip
METHOD_NOT_ALLOWED: Final = Kind(
    "method_not_allowed", 405, _BAD, "validation", Blame.CALLER, Again.NEVER, False,
    "Use one of the methods in the 'allow' header.",
)  # fmt: skip
LOOP_DETECTED: Final = Kind(
    "loop_detected", 400, _BAD, "configuration", Blame.GATEWAY, Again.NEVER, False,
    "A provider's 'base_url' leads back to this gateway, perhaps through another one; let it name the provider itself.",
)  # fmt: skip
CONFLICT: Final = Kind(
    "conflict", 409, _BAD, "validation", Blame.CALLER, Again.NEVER, False,
    "The provider reports a conflicting state; read the message and change the request.",
)  # fmt: skip
BODY_TOO_LARGE: Final = Kind(
    "body_too_large", 413, _BAD, "validation", Blame.CALLER, Again.NEVER, False,
    "Send a smaller request, or raise 'server.body_max_bytes' or 'server.upload_max_bytes' in the configuration.",
)  # fmt: skip
UNSUPPORTED_MEDIA_TYPE: Final = Kind(
    "unsupported_media_type", 415, _BAD, "validation", Blame.CALLER, Again.NEVER, False,
    "Send the body uncompressed with 'content-type: application/json'.",
)  # fmt: skip
UNPROCESSABLE: Final = Kind(
    "unprocessable", 422, _BAD, "validation", Blame.CALLER, Again.NEVER, False,
    "The provider understood the request but refuses its content; read the message and change it.",
)  # fmt: skip
IDEMPOTENCY_KEY_REUSED: Final = Kind(
    "idempotency_key_reused", 422, _BAD, "validation", Blame.CALLER, Again.NEVER, False,
    "Use a fresh key for each request, and the same one only to send the very same body again.",
)  # fmt: skip
UNSUPPORTED_FEATURE: Final = Kind(
    "unsupported_feature", 400, _BAD, "validation", Blame.CALLER, Again.ELSEWHERE, False,
    "Leave the named part out, or use a model whose provider supports it.",
)  # fmt: skip
CONTENT_BLOCKED: Final = Kind(
    "content_blocked", 400, _BAD, "permission", Blame.CALLER, Again.NEVER, False,
    "The content was refused by a policy; change it before sending it again.", "content_policy",
)  # fmt: skip
CONTEXT_TOO_LONG: Final = Kind(
    "context_too_long", 400, _BAD, "validation", Blame.CALLER, Again.ELSEWHERE, False,
    "Shorten the conversation, lower max_tokens, or use a model with a larger context window.", "context_length",
)  # fmt: skip
SESSION_NOT_FOUND: Final = Kind(
    "session_not_found", 404, _BAD, "session", Blame.CALLER, Again.NEVER, False,
    "Begin one with POST /v1/sessions and the same key, or send the whole conversation in 'messages'.",
)  # fmt: skip
SESSION_EXPIRED: Final = Kind(
    "session_expired", 404, _BAD, "session", Blame.CALLER, Again.NEVER, False,
    "Begin a new one with POST /v1/sessions, with the messages that shall be remembered, or raise 'sessions.ttl_s'.",
)  # fmt: skip
SESSION_FULL: Final = Kind(
    "session_full", 400, _BAD, "session", Blame.CALLER, Again.NEVER, False,
    "Fork it with 'last' to go on with its newest messages, begin a new one, or raise 'sessions.max_bytes'.",
)  # fmt: skip
STREAM_NOT_FOUND: Final = Kind(
    "stream_not_found", 404, _BAD, "stream", Blame.CALLER, Again.NEVER, False,
    "Send the request again; streams can be resumed where 'streaming.resume' is enabled, and for its 'window_s' only.",
)  # fmt: skip
RATE_LIMITED: Final = Kind(
    "rate_limited", 429, "rate_limit_error", "rate_limit", Blame.CALLER, Again.ELSEWHERE, True,
    "Wait for 'retry_after_s' and send fewer requests, or ask for a higher limit.", "rate_limit",
)  # fmt: skip
INSUFFICIENT_QUOTA: Final = Kind(
    "insufficient_quota", 429, "insufficient_quota", "budget", Blame.CALLER, Again.NEVER, False,
    "The budget is spent; wait for the next period or ask for a larger one.", "budget",
)  # fmt: skip
CLIENT_CLOSED: Final = Kind(
    "client_closed", 499, _BAD, "network", Blame.CALLER, Again.NEVER, False,
    "The client left before the answer was complete; raise its timeout if it did not mean to.",
)  # fmt: skip
CLIENT_TOO_SLOW: Final = Kind(
    "client_too_slow", 408, _BAD, "stream", Blame.CALLER, Again.NEVER, True,
    "Read the stream faster; or raise 'streaming.buffer_bytes', or set 'streaming.overflow' to block.",
)  # fmt: skip
TARGET_RATE_LIMITED: Final = Kind(
    "target_rate_limited", 429, "rate_limit_error", "rate_limit", Blame.TARGET, Again.ELSEWHERE, True,
    "The provider limits the gateway's own key; wait, add a fallback target, or raise the provider's limit.",
    "rate_limit",
)  # fmt: skip
TARGET_QUOTA_SPENT: Final = Kind(
    "target_quota_spent", 429, "insufficient_quota", "budget", Blame.GATEWAY, Again.ELSEWHERE, False,
    "The gateway's account at the provider is out of credit; the operator must top it up or add a fallback target.",
    "rate_limit",
)  # fmt: skip
TARGET_MODEL_MISSING: Final = Kind(
    "target_model_missing", 404, _BAD, "configuration", Blame.GATEWAY, Again.ELSEWHERE, False,
    "The provider has no such model (or the key may not use it); check the model's name at the provider.",
)  # fmt: skip
TARGET_MISCONFIGURED: Final = Kind(
    "target_misconfigured", 502, _API, "configuration", Blame.GATEWAY, Again.ELSEWHERE, False,
    "The provider refuses the gateway's own credentials or address; the operator must correct its settings.",
)  # fmt: skip
TARGET_UNAVAILABLE: Final = Kind(
    "target_unavailable", 502, _API, "network", Blame.TARGET, Again.HERE, True,
    "The provider could not be reached. Retry, or add a fallback target to this route.", "network",
)  # fmt: skip
TARGET_FAILED: Final = Kind(
    "target_failed", 502, _API, "upstream", Blame.TARGET, Again.HERE, True,
    "The provider failed. Retry, or add a fallback target to this route.", "server_error",
)  # fmt: skip
TARGET_BUSY: Final = Kind(
    "target_busy", 503, "overloaded_error", "overloaded", Blame.TARGET, Again.ELSEWHERE, True,
    "The provider is overloaded. Retry later, or add a fallback target to this route.", "server_error",
)  # fmt: skip
BAD_UPSTREAM_REPLY: Final = Kind(
    "bad_upstream_reply", 502, _API, "parse", Blame.TARGET, Again.HERE, True,
    "The provider's answer could not be understood. Retry; if it persists check the provider's 'kind' and 'base_url'.",
    "server_error",
)  # fmt: skip
TARGET_TIMEOUT: Final = Kind(
    "target_timeout", 504, "timeout_error", "timeout", Blame.TARGET, Again.HERE, True,
    "The provider reports that it ran out of time. Retry, or ask for less.", "timeout",
)  # fmt: skip
TIMEOUT_CONNECT: Final = Kind(
    "timeout_connect", 504, "timeout_error", "timeout", Blame.TARGET, Again.HERE, True,
    "No connection to the provider within 'timeouts.connect_s'. Retry, or check the network between them.", "timeout",
)  # fmt: skip
TIMEOUT_FIRST_TOKEN: Final = Kind(
    "timeout_first_token", 504, "timeout_error", "timeout", Blame.TARGET, Again.ELSEWHERE, True,
    "The provider sent nothing within 'timeouts.first_token_s'. Retry, raise it, or add a fallback target.", "timeout",
)  # fmt: skip
TIMEOUT_RESPONSE: Final = Kind(
    "timeout_response", 504, "timeout_error", "timeout", Blame.TARGET, Again.ELSEWHERE, True,
    "The provider had no whole answer within 'timeouts.response_s'. Stream, raise it, or add a fallback target.",
    "timeout",
)  # fmt: skip
TIMEOUT_IDLE: Final = Kind(
    "timeout_idle", 504, "timeout_error", "timeout", Blame.TARGET, Again.ELSEWHERE, True,
    "The provider fell silent for 'timeouts.idle_s' in the middle of an answer. Retry, or raise it.", "timeout",
)  # fmt: skip
TIMEOUT_TOTAL: Final = Kind(
    "timeout_total", 504, "timeout_error", "timeout", Blame.GATEWAY, Again.NEVER, True,
    "The call's whole time is spent. Ask for less, or raise 'timeouts.total_s' or the request's own timeout.",
)  # fmt: skip
NOT_CACHED: Final = Kind(
    "not_cached", 504, _BAD, "cache", Blame.CALLER, Again.NEVER, False,
    "Send the request without 'cache-control: only-if-cached' to have it answered by a provider.",
)  # fmt: skip
CIRCUIT_OPEN: Final = Kind(
    "circuit_open", 503, "overloaded_error", "circuit_breaker", Blame.TARGET, Again.ELSEWHERE, True,
    "The target failed too often and is resting; wait for 'retry_after_s' or add a fallback target.", "circuit_open",
)  # fmt: skip
OVERLOADED: Final = Kind(
    "overloaded", 503, "overloaded_error", "overloaded", Blame.GATEWAY, Again.ELSEWHERE, True,
    "The gateway has no room for this call right now; wait for 'retry_after_s'.",
)  # fmt: skip
STREAM_BROKEN: Final = Kind(
    "stream_broken", 502, _API, "stream", Blame.TARGET, Again.NEVER, True,
    "The answer broke off and is incomplete: discard it and send the request again.",
)  # fmt: skip
STATE_UNAVAILABLE: Final = Kind(
    "state_unavailable", 503, _API, "cache", Blame.GATEWAY, Again.NEVER, True,
    "The gateway's shared state is out of reach and its policy is to refuse; wait, or set 'fail: local'.",
)  # fmt: skip
CHECK_UNAVAILABLE: Final = Kind(
    "check_unavailable", 503, _API, "internal", Blame.GATEWAY, Again.NEVER, True,
    "A check that this route requires is out of reach and its policy is to refuse; wait, or set 'fail: open'.",
)  # fmt: skip
INTERNAL: Final = Kind(
    "internal", 500, _API, "internal", Blame.GATEWAY, Again.NEVER, True,
    "This is a fault of the gateway. Report it with the request id; the log holds the details.",
)  # fmt: skip

KINDS: Final[tuple[Kind, ...]] = (
    INVALID_REQUEST, INVALID_JSON, INVALID_HTTP, WRONG_HOST, HEAD_TOO_LARGE, REQUEST_TOO_SLOW, UNAUTHORIZED,
    FORBIDDEN, UNKNOWN_MODEL, NOT_FOUND, METHOD_NOT_ALLOWED, CONFLICT, LOOP_DETECTED, BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE, UNPROCESSABLE, IDEMPOTENCY_KEY_REUSED, UNSUPPORTED_FEATURE, CONTENT_BLOCKED,
    CONTEXT_TOO_LONG, SESSION_NOT_FOUND, SESSION_EXPIRED, SESSION_FULL, STREAM_NOT_FOUND,
    RATE_LIMITED, INSUFFICIENT_QUOTA, CLIENT_CLOSED,
    CLIENT_TOO_SLOW, TARGET_RATE_LIMITED, TARGET_QUOTA_SPENT, TARGET_MODEL_MISSING, TARGET_MISCONFIGURED,
    TARGET_UNAVAILABLE, TARGET_FAILED, TARGET_BUSY, BAD_UPSTREAM_REPLY, TARGET_TIMEOUT, TIMEOUT_CONNECT,
    TIMEOUT_FIRST_TOKEN, TIMEOUT_RESPONSE, TIMEOUT_IDLE, TIMEOUT_TOTAL, NOT_CACHED, CIRCUIT_OPEN, OVERLOADED,
    STREAM_BROKEN, STATE_UNAVAILABLE, CHECK_UNAVAILABLE, INTERNAL,
)  # fmt: skip
