"""Check settings whose requirements are missing: a package, a path, Redis, another setting."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from app.config.checks.complaint import REDIS_URL, Complaint, Complaints, Names, no_route
from app.config.problems import MISSING, shown
from app.config.schema import Settings
from app.core.vocabularies import PACKAGE, VOCABULARIES

_STORES = ("cache", "sessions", "usage", "request_log")


def stores(settings: Settings, _names: Names) -> Complaints:
    """Find file stores without a path, and Redis stores without Redis."""
    for section in _STORES:
        configured = getattr(settings, section)
        if not getattr(configured, "enabled", True):
            continue
        if configured.store in {"file", "sqlite"} and not configured.path:
            what = "a folder" if configured.store == "file" else "a file"
            yield (section, "path"), Complaint(MISSING, f"{what}, as {section}.store is {configured.store}", "add path")
        if configured.store == "redis" and settings.redis.url is None:
            expected, advice = "another store, as redis.url is null", "set redis.url, or choose another store"
            yield (section, "store"), Complaint("'redis'", expected, advice, REDIS_URL)


def semantic_cache(settings: Settings, names: Names) -> Complaints:
    """Find a semantic cache without an embedding model or numpy."""
    semantic, loc = settings.cache.semantic, ("cache", "semantic")
    if not semantic.enabled:
        return
    if semantic.model is None:
        expected = "a model that turns texts into vectors, such as openai/text-embedding-3-small"
        yield (*loc, "model"), Complaint("null", expected, "name one, or set cache.semantic.enabled to false")
    else:
        yield from no_route((*loc, "model"), semantic.model, names)
    if find_spec("numpy") is None:
        advice = "install the extra 'semantic' (pip install 'wizard-gateway[semantic]')"
        yield (*loc, "enabled"), Complaint("true", "false, as numpy is not installed", advice)


def adaptive_limit(settings: Settings, _names: Names) -> Complaints:
    """Find an adaptive limit without `max_in_flight`."""
    if settings.admission.adaptive and settings.admission.max_in_flight is None:
        expected = "false, as admission.max_in_flight is null: an adaptive limit moves below that one"
        yield ("admission", "adaptive"), Complaint("true", expected, "set admission.max_in_flight, or remove it")


def resuming(settings: Settings, _names: Names) -> Complaints:
    """Find resumption with several workers but no Redis: a client may reach a worker that does not have its stream."""
    workers = settings.server.workers
    if settings.streaming.resume.enabled and workers > 1 and settings.redis.url is None:
        expected = f"false, as server.workers is {workers} and each worker keeps its own streams without a Redis"
        advice = "set redis.url, over which workers and replicas share streams, or use one worker"
        yield ("streaming", "resume", "enabled"), Complaint("true", expected, advice)


def tokenizer(settings: Settings, _names: Names) -> Complaints:
    """Find a folder without tables, and tables without the package that reads them."""
    folder = settings.tokenizer.tables
    if folder is None:
        return
    loc, value = ("tokenizer", "tables"), shown((), folder)
    files = [name for vocabulary in VOCABULARIES.values() for name in vocabulary.files]
    if not any((Path(folder) / name).is_file() for name in files):
        tables = " or ".join(vocabulary.files[0] for vocabulary in VOCABULARIES.values())
        yield loc, Complaint(value, f"a folder with {tables}", "put a table there, or remove it")
    elif find_spec(PACKAGE) is None:
        expected = f"null, as the package {PACKAGE} is not installed"
        yield loc, Complaint(value, expected, f"install {PACKAGE}, or remove it")


def exporter(settings: Settings, _names: Names) -> Complaints:
    """Find a tracing protocol whose library is not installed."""
    if settings.tracing.enabled and settings.tracing.protocol == "grpc" and find_spec("grpc") is None:
        advice = (
            "install it (pip install 'wizard-gateway[otlp-grpc]'), or use OTLP over HTTP, which every collector takes"
        )
        yield ("tracing", "protocol"), Complaint("'grpc'", "http, as the extra otlp-grpc is not installed", advice)
