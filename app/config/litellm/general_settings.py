"""Convert `general_settings` and other settings of the whole proxy: its key, limits, reporting and budget."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.config.litellm.mappings import Given
from app.config.trees import Tree

_PORT: Final = 4000  # LiteLLM's, so callers keep their address
_MIB: Final = 1_048_576
_PERIODS: Final[Mapping[str, str]] = MappingProxyType(
    {"1h": "hour", "24h": "day", "1d": "day", "7d": "week", "1w": "week", "30d": "month", "1mo": "month"}
)
_UNITS: Final[Mapping[str, int]] = MappingProxyType(
    {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 2_592_000}
)
_REPORTS: Final = ("callbacks", "success_callback", "failure_callback", "service_callbacks")


def house(general: Given, settings: Given) -> Tree:
    """Convert the settings of the proxy itself, and return their sections."""
    sections: Tree = {"server": {"port": _PORT}}
    sections |= _callers(general, sections)
    size_mb = general.number("max_request_size_mb")
    most = general.whole("global_max_parallel_requests")
    if size_mb is not None:
        sections["server"] = {**_server(sections), "body_max_bytes": int(size_mb * _MIB)}
    if most is not None:
        general.note("global_max_parallel_requests", "each process counts for itself; beyond it calls wait (admission)")
        sections["admission"] = {"max_in_flight": most}
    sections["tracing"] = {"enabled": True} if _reports(settings) else {}
    sections["logging"] = {"level": "debug"} if settings.flag("set_verbose") or general.flag("set_verbose") else {}
    sections["budgets"] = _budgets(settings)
    return sections


def _server(sections: Tree) -> Tree:
    server = sections["server"]
    return server if isinstance(server, dict) else {}


def _callers(general: Given, sections: Tree) -> Tree:
    """Return the sections for the master key: it becomes the admin token and a virtual key."""
    key = general.text("master_key")
    if key is None:
        general.note("master_key", "there is none, so nobody needs a key, and server.host is this machine alone")
        return {}
    result: Tree = {
        "server": {"host": "0.0.0.0", **_server(sections)},  # noqa: S104 - as LiteLLM does, and every call needs a key
        "auth": {"required": True},
        "admin": {"token": key},
    }
    if key.startswith("${"):
        general.note(
            "master_key",
            "it opens the administration (admin.token). As a key for calls it is not taken over: make keys with"
            " wizard keys new, or bring LiteLLM's along (docs/keys.md)",
        )
        return result
    general.note(
        "master_key",
        "it stands in the file as in LiteLLM's, opens the administration, and is a key for all models: replace it",
    )
    literal = key.replace("$${", "${")
    digest = hashlib.sha256(literal.encode()).hexdigest()
    return result | {"keys": [{"name": "master", "hash": f"sha256:{digest}"}]}


def _reports(settings: Given) -> bool:
    """Convert the callbacks, and return whether OpenTelemetry is one of them; note those without a counterpart."""
    traced = False
    for name in _REPORTS:
        others = []
        for callback in settings.several(name):
            traced |= callback == "otel"
            if callback not in {"otel", "prometheus"}:
                others.append(str(callback))
        if others:
            settings.note(
                name,
                f"{', '.join(others)}: the gateway reports by /metrics, OpenTelemetry, its log and its request log",
            )
    if traced:
        settings.note("callbacks", "otel: name the collector in tracing.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT")
    return traced


def _budgets(settings: Given) -> list[Tree]:
    usd, duration = settings.number("max_budget"), settings.text("budget_duration")
    if not usd:
        return []
    budget: Tree = {"name": "proxy", "per": "global", "usd": usd, "period": "total"}
    if duration is not None and duration in _PERIODS:
        return [{**budget, "period": _PERIODS[duration]}]
    match = re.fullmatch(r"(\d+)(s|m|h|d|w|mo)", duration or "")
    if duration is not None and match is None:
        settings.note("budget_duration", "it is no length of time; the budget never starts anew")
    return [budget if match is None else {**budget, "window_s": int(match[1]) * _UNITS[match[2]]}]
