"""What providers say when they refuse, and what it means: the suite's table, a line for each kind of refusal."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

CANARY = "CANARY-of-the-provider"  # in every message: only refusals that blame the caller's request may show it


class Refusal(NamedTuple):
    """A reply that is no answer, and the code of the error table that it stands for."""

    dialect: str
    status: int
    body: str
    code: str
    headers: dict[str, str] = {}  # noqa: RUF012 - read only
    retry_after_s: float | None = None


def google(code: int, status: str, message: str = CANARY, details: str = "[]") -> str:
    """Return Google's error object."""
    return f'{{"error":{{"code":{code},"message":"{message}","status":"{status}","details":{details}}}}}'


def aws(message: str = CANARY) -> str:
    """Return an exception's body."""
    return f'{{"message":"{message}"}}'


def anthropic(kind: str, message: str = CANARY) -> str:
    """Return Anthropic's error object."""
    return f'{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}'


def openai(code: str) -> str:
    """Return OpenAI's error object."""
    return f'{{"error":{{"message":"{CANARY}","type":"invalid_request_error","code":"{code}"}}}}'


DELAY = '[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"31.5s"}]'
BAD_KEY = '[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]'
A_DAY = (
    '[{"@type":"type.googleapis.com/google.rpc.QuotaFailure",'
    '"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]'
)
TOO_LONG = "The input token count (9) exceeds the maximum number of tokens"
BARRED = "Output blocked by content filtering policy"
LOW = "Your credit balance is too low to access the Anthropic API."
EXCEPTION = "x-amzn-errortype"
WRONG = {EXCEPTION: "ValidationException"}
OPENAI = f'{{"error":{{"message":"{CANARY}"}}}}'

REFUSALS = (
    Refusal("gemini", 400, google(400, "INVALID_ARGUMENT"), "invalid_request"),
    Refusal("gemini", 400, google(400, "INVALID_ARGUMENT", CANARY, BAD_KEY), "target_misconfigured"),
    Refusal("gemini", 400, google(400, "INVALID_ARGUMENT", f"API key not valid. {CANARY}"), "target_misconfigured"),
    Refusal("gemini", 400, google(400, "INVALID_ARGUMENT", TOO_LONG), "context_too_long"),
    Refusal("gemini", 400, google(400, "FAILED_PRECONDITION", f"Not in your place {CANARY}"), "target_misconfigured"),
    Refusal("gemini", 401, google(401, "UNAUTHENTICATED"), "target_misconfigured"),
    Refusal("gemini", 403, google(403, "PERMISSION_DENIED"), "target_misconfigured"),
    Refusal("gemini", 404, google(404, "NOT_FOUND"), "target_model_missing"),
    Refusal("gemini", 429, google(429, "RESOURCE_EXHAUSTED", CANARY, DELAY), "target_rate_limited", {}, 31.5),
    Refusal("gemini", 429, f"[{google(429, 'RESOURCE_EXHAUSTED')}]", "target_rate_limited", {"retry-after": "2"}, 2),
    Refusal("gemini", 429, google(429, "RESOURCE_EXHAUSTED", CANARY, A_DAY), "target_quota_spent"),
    Refusal("gemini", 500, google(500, "INTERNAL"), "target_failed"),
    Refusal("gemini", 503, google(503, "UNAVAILABLE"), "target_busy"),
    Refusal("gemini", 504, google(504, "DEADLINE_EXCEEDED"), "target_timeout"),
    Refusal("gemini", 413, "<html>", "body_too_large"),
    Refusal("gemini", 502, "", "target_failed"),
    Refusal("bedrock", 400, aws(), "invalid_request", {EXCEPTION: "ValidationException:http://internal/"}),
    Refusal("bedrock", 400, aws("Input is too long for requested model."), "context_too_long", WRONG),
    Refusal("bedrock", 400, aws("The provided model identifier is invalid."), "target_model_missing", WRONG),
    Refusal("bedrock", 400, '{"Message":"x","__type":"a.b#ServiceQuotaExceededException"}', "target_rate_limited"),
    Refusal("bedrock", 403, aws(), "target_misconfigured", {EXCEPTION: "AccessDeniedException"}),
    Refusal("bedrock", 403, aws(), "target_misconfigured", {EXCEPTION: "UnrecognizedClientException"}),
    Refusal("bedrock", 403, aws(), "target_misconfigured", {EXCEPTION: "ExpiredTokenException"}),
    Refusal("bedrock", 404, aws(), "target_model_missing", {EXCEPTION: "ResourceNotFoundException"}),
    Refusal("bedrock", 408, aws(), "target_timeout", {EXCEPTION: "ModelTimeoutException"}),
    Refusal("bedrock", 424, aws(), "target_failed", {EXCEPTION: "ModelErrorException"}),
    Refusal("bedrock", 429, aws(), "target_rate_limited", {EXCEPTION: "ThrottlingException", "retry-after": "3"}, 3),
    Refusal("bedrock", 429, aws("Too many tokens per day."), "target_quota_spent", {EXCEPTION: "ThrottlingException"}),
    Refusal("bedrock", 400, aws("Output blocked by content filtering policy"), "content_blocked", WRONG),
    Refusal("bedrock", 429, aws(), "target_busy", {EXCEPTION: "ModelNotReadyException"}),
    Refusal("bedrock", 500, aws(), "target_failed", {EXCEPTION: "InternalServerException"}),
    Refusal("bedrock", 503, "", "target_busy"),
    Refusal("cohere", 400, f'{{"message":"invalid request: {CANARY}"}}', "invalid_request"),
    Refusal("cohere", 400, '{"message":"too many tokens: the limit is 9"}', "context_too_long"),
    Refusal("cohere", 401, f'{{"message":"invalid api token {CANARY}"}}', "target_misconfigured"),
    Refusal("cohere", 402, f'{{"message":"{CANARY}"}}', "target_quota_spent"),
    Refusal("cohere", 404, f'{{"message":"model x not found {CANARY}"}}', "target_model_missing"),
    Refusal("cohere", 422, '{"message":"model x was removed on a day"}', "target_model_missing"),
    Refusal("cohere", 429, f'{{"message":"{CANARY}"}}', "target_rate_limited", {"retry-after": "1"}, 1),
    Refusal("cohere", 429, f'{{"message":"limited to 9 calls / month {CANARY}"}}', "target_quota_spent"),
    Refusal("cohere", 429, f'{{"message":"a Trial key: 9 calls / minute {CANARY}"}}', "target_rate_limited"),
    Refusal("cohere", 498, '{"message":"blocked input"}', "content_blocked"),
    Refusal("cohere", 499, f'{{"message":"{CANARY}"}}', "target_failed"),
    Refusal("cohere", 500, f'{{"message":"{CANARY}"}}', "target_failed"),
    Refusal("cohere", 503, "busy", "target_busy"),
    Refusal("cohere", 504, "", "target_timeout"),
    Refusal("ollama", 400, f'{{"error":"invalid options {CANARY}"}}', "invalid_request"),
    Refusal("ollama", 400, '{"error":"registry.ollama.ai/library/x does not support tools"}', "unsupported_feature"),
    Refusal("ollama", 400, '{"error":"the input length exceeds the context length"}', "context_too_long"),
    Refusal("ollama", 401, f'{{"error":"unauthorized {CANARY}"}}', "target_misconfigured"),
    Refusal("ollama", 429, f'{{"error":"too many requests {CANARY}"}}', "target_rate_limited", {"retry-after": "5"}, 5),
    Refusal("ollama", 404, f'{{"error":"model {CANARY} not found, try pulling it first"}}', "target_model_missing"),
    Refusal("ollama", 500, f'{{"error":"{CANARY}"}}', "target_failed"),
    Refusal("ollama", 503, '{"error":"server busy, please try again"}', "target_busy"),
    Refusal("anthropic", 400, anthropic("invalid_request_error"), "invalid_request"),
    Refusal("anthropic", 400, anthropic("invalid_request_error", "prompt is too long: 9 > 8"), "context_too_long"),
    Refusal("anthropic", 400, anthropic("invalid_request_error", LOW), "target_quota_spent"),
    Refusal("anthropic", 400, anthropic("invalid_request_error", BARRED), "content_blocked"),
    Refusal("anthropic", 404, anthropic("not_found_error", "model: claude-x"), "target_model_missing"),
    Refusal("anthropic", 401, anthropic("authentication_error"), "target_misconfigured"),
    Refusal("anthropic", 429, anthropic("rate_limit_error"), "target_rate_limited", {"retry-after": "4"}, 4),
    Refusal("anthropic", 529, anthropic("overloaded_error"), "target_busy"),
    Refusal("openai", 400, OPENAI, "invalid_request"),
    Refusal("openai", 400, openai("context_length_exceeded"), "context_too_long"),
    Refusal("openai", 400, openai("content_policy_violation"), "content_blocked"),
    Refusal("openai", 404, openai("model_not_found"), "target_model_missing"),
    Refusal("openai", 429, openai("insufficient_quota"), "target_quota_spent"),
    Refusal("openai", 503, OPENAI, "target_busy"),
    Refusal("openai", 401, OPENAI, "target_misconfigured"),
    Refusal("openai", 429, OPENAI, "target_rate_limited", {"retry-after-ms": "500"}, 0.5),
)


def _names() -> list[str]:
    seen: Counter[str] = Counter()
    names = []
    for refusal in REFUSALS:
        name = f"{refusal.dialect}-{refusal.status}-{refusal.code}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


NAMES = tuple(_names())  # of the refusals, in their order
