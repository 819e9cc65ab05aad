"""Convert LiteLLM's cache and its Redis, which may be configured for the router and the cache separately."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from app.config.litellm.mappings import Given
from app.config.trees import Tree

_OPERATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"completion": "chat", "text_completion": "completions", "embedding": "embeddings", "rerank": "rerank"}
)
_YEAR_S, _LEAST_SIMILAR = 31_536_000.0, 0.8


def caching(settings: Given, router: Given) -> Tree:
    """Convert `cache` and `cache_params`; return the sections cache and redis."""
    enabled = settings.flag("cache") or router.flag("cache_responses") or False
    params = settings.inner("cache_params")
    kind = params.text("type") or "redis" if enabled or params.had("type") else "none"
    redis = _redis(params) or _redis(router, "redis_")
    cache: Tree = {"enabled": True} if enabled else {}
    if enabled:
        cache |= _cache(params, kind)
    prefix = params.text("namespace")
    params.leave()
    return {"cache": cache, "redis": {"url": redis, "key_prefix": prefix if redis else None}}


def _cache(params: Given, kind: str) -> Tree:
    ttl_s = params.number("ttl")
    cache: Tree = {
        "ttl_s": None if ttl_s is None else min(max(ttl_s, 1.0), _YEAR_S),
        "max_entries": params.whole("max_size_in_memory"),
        "operations": _operations(params),
    }
    params.note("type", "callers with the same key share answers; LiteLLM's sharing by all is cache.scope: global")
    if params.text("mode") == "default_off":
        params.note("mode", "callers cannot ask for a cache that is off; it is switched off here: cache.enabled")
        cache["enabled"] = False
    if "semantic" in kind:
        cache["semantic"] = _semantic(params)
    elif kind not in {"local", "redis"}:
        params.note("type", "answers are stored in memory or Redis")
    return cache


def _semantic(params: Given) -> Tree:
    model, similar = None, params.number("similarity_threshold")
    for name in ("redis_semantic_cache_embedding_model", "qdrant_semantic_cache_embedding_model"):
        model = params.text(name) or model
    params.note("type", "similar questions can get wrong answers: read docs/cache.md, then set cache.semantic.enabled")
    return {
        "enabled": False,
        "model": model,
        "threshold": None if similar is None else min(max(similar, _LEAST_SIMILAR), 1.0),
    }


def _operations(params: Given) -> list[str] | None:
    operations: dict[str, None] = {}
    for word in params.several("supported_call_types"):
        operation = _OPERATIONS.get(re.sub("^a(?=[a-z])", "", str(word)))
        if operation is None:
            params.note("supported_call_types", "answers of some of these are never stored (cache.operations)")
        else:
            operations[operation] = None
    return list(operations) or None


def _redis(section: Given, prefix: str = "") -> str | None:
    """Return the URL of Redis from its parts, including nodes of a cluster and Sentinels."""
    url = section.text("redis_url") or section.text("url") if not prefix else section.text(f"{prefix}url")
    host, port = section.text(f"{prefix}host"), section.text(f"{prefix}port")
    user, password = section.text(f"{prefix}username"), section.text(f"{prefix}password", "")
    scheme = "rediss" if section.flag(f"{prefix}ssl") else "redis"
    nodes, sentinels = section.several("redis_startup_nodes"), section.several("sentinel_nodes")
    master = section.text("service_name")
    if url is not None:
        return url
    account = "" if password is None and user is None else f"{_safe(user or '')}:{_safe(password or '')}@"
    if nodes:
        return f"{scheme}+cluster://{account}{','.join(map(_node, nodes))}"
    if sentinels and master:
        return f"{scheme}+sentinel://{account}{','.join(map(_node, sentinels))}/{master}"
    return None if host is None else f"{scheme}://{account}{host}:{port or 6379}"


def _node(value: object) -> str:
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return ":".join(map(str, parts[:2]))


def _safe(text: str) -> str:
    """Quote a literal user or password for a URL; the value of a variable must be quoted where it is set."""
    return text if text.startswith("${") else quote(text, safe="")
