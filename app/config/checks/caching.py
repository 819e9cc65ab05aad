"""A cache that lacks what it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from app.config.checks.complaint import REDIS_URL, Complaint, Names, unknown_provider
from app.config.schema import Settings
from app.config.trees import Loc

_SEMANTIC = ("cache", "semantic")


def caching(settings: Settings, names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find a cache in a Redis that is not there, and similar prompts that nothing can compare."""
    given = settings.cache
    if given.store == "redis" and settings.redis.url is None:
        expected = "auto or memory, as redis.url is null"
        yield ("cache", "store"), Complaint("'redis'", expected, "set redis.url, or remove it", REDIS_URL)
    if not given.semantic.enabled:
        return
    model = given.semantic.model
    if model is None:
        expected = "a model that turns texts into vectors, such as openai/text-embedding-3-small"
        yield (*_SEMANTIC, "model"), Complaint("null", expected, "name one, or set cache.semantic.enabled to false")
    elif model not in names.routes and model.partition("/")[0] not in names.providers:
        yield (*_SEMANTIC, "model"), unknown_provider(model, model.partition("/")[0], names)
    if find_spec("numpy") is None:
        advice = "install the extra 'semantic' (pip install 'wizard-gateway[semantic]')"
        yield (*_SEMANTIC, "enabled"), Complaint("true", "false, as numpy is not installed", advice)
