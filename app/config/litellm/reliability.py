"""Convert strategies, retries, timeouts and cooldowns from `router_settings` and `litellm_settings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from app.config.litellm.mappings import Given
from app.config.trees import Tree

_STRATEGIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "simple-shuffle": "weighted",
        "least-busy": "least_busy",
        "latency-based-routing": "latency",
        "cost-based-routing": "cost",
        "usage-based-routing": "least_busy",
        "usage-based-routing-v2": "least_busy",
    }
)
_DEFAULT: Final = "weighted"  # LiteLLM's default, simple-shuffle
_LEAST_S, _DAY_S, _ATTEMPTS_MAX = 1.0, 86_400.0, 20
_DEFAULT_RETRIES: Final = 2
_TIMEOUTS: Final = ("timeout", "request_timeout", "stream_timeout")


def strategy(router: Given) -> str:
    """Convert LiteLLM's routing strategy."""
    name = router.text("routing_strategy") or "simple-shuffle"
    if name.startswith("usage-based"):
        router.note("routing_strategy", "it became least_busy; limits of targets still hold, and move calls on")
    if name not in _STRATEGIES:
        router.note("routing_strategy", f"{name} has no counterpart; routes became weighted")
    return _STRATEGIES.get(name, _DEFAULT)


def reliability(router: Given, settings: Given) -> Tree:
    """Convert retries, timeouts and cooldowns of both sections; those of the router take precedence."""
    both = (router, settings)
    retries = _first(both, "num_retries")
    timeout_s = _first(both, "timeout", "request_timeout")
    stream_s = _first(both, "stream_timeout")
    result: Tree = {}
    retry = {"max_attempts": None if retries is None else min(int(retries) + 1, _ATTEMPTS_MAX)}
    result["retry"] = retry | {"base_s": _at_most(_first(both, "retry_after"), 60)}
    if timeout_s is not None or stream_s is not None:
        result["timeouts"] = _timeouts(both, timeout_s, stream_s, retries)
    result["circuit_breaker"] = _breaker(both)
    return result


def _timeouts(both: Sequence[Given], timeout_s: float | None, stream_s: float | None, retries: float | None) -> Tree:
    """Convert timeouts; LiteLLM's apply to one attempt, so the whole call gets their sum over all attempts."""
    most_s = max(timeout_s or 0, stream_s or 0, _LEAST_S)
    attempts = (_DEFAULT_RETRIES if retries is None else int(retries)) + 1
    where = next(each for each in both if any(map(each.had, _TIMEOUTS)))
    name = next(filter(where.had, _TIMEOUTS))
    where.note(name, "it bounds the answer of each attempt, and its silences; the whole call has it for every try")
    if stream_s is not None and timeout_s is not None and stream_s != timeout_s:
        where.note("stream_timeout", "streams and whole answers have the same bounds here; the longer one counts")
    one_s = min(most_s, _DAY_S)
    return {"first_token_s": one_s, "response_s": one_s, "idle_s": one_s, "total_s": min(one_s * attempts, _DAY_S)}


def _breaker(both: Sequence[Given]) -> Tree:
    fails, cooldown_s = _first(both, "allowed_fails"), _first(both, "cooldown_time")
    disabled = [each.flag("disable_cooldowns") for each in both]
    breaker: Tree = {
        "enabled": False if True in disabled else None,
        "failure_threshold": None if fails is None else int(fails) + 1,
        "open_s": None if cooldown_s is None else min(max(cooldown_s, _LEAST_S), 300),
    }
    return breaker


def _first(both: Sequence[Given], *names: str) -> float | None:
    """Take all numbers with these names from both sections, and return the first."""
    values = [each.number(name) for each in both for name in names]
    return next((value for value in values if value is not None), None)


def _at_most(value: float | None, most: float) -> float | None:
    return None if value is None else min(value, most)
