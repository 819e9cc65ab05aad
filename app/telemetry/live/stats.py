"""`/admin/stats`: the metrics and the last minutes of all workers, as JSON for people and dashboards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from app.core.insight import Figures
from app.telemetry.live.recent import WINDOWS_S, Window
from app.telemetry.live.totals import Spread, spread_of
from app.telemetry.metrics.families import Family, HistogramFamily, Sampled
from app.telemetry.metrics.histograms import Reading

_PERCENTILES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
_STATES: Final = ("closed", "half_open", "open")
_FAULT: Final = 500

# Group and name under which a family is shown, if it exists: as a number, or by its last label if it has labels.
_PLACES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "wizard_active_requests": ("calls", "active"),
        "wizard_requests": ("calls", "by_status"),
        "wizard_attempts": ("calls", "attempts"),
        "wizard_retry_attempts": ("calls", "retries"),
        "wizard_fallbacks": ("calls", "fallbacks"),
        "wizard_success_position": ("calls", "by_position"),
        "wizard_hedges": ("calls", "hedges"),
        "wizard_streams_active": ("streams", "active"),
        "wizard_tokens": ("tokens", "by_type"),
        "wizard_queue_depth": ("queue", "waiting"),
        "wizard_admission_limit": ("queue", "limit"),
        "wizard_admission_refused": ("queue", "refused"),
        "wizard_rate_limited": ("limits", "refused"),
        "wizard_cache_hits": ("cache", "hits"),
        "wizard_cache_misses": ("cache", "misses"),
        "wizard_cache_evictions": ("cache", "evictions"),
        "wizard_cache_entries": ("cache", "entries"),
        "wizard_cache_capacity": ("cache", "capacity"),
        "wizard_redactions": ("redactions", "by_detector"),
        "wizard_state_degraded": ("state", "degraded"),
        "wizard_telemetry_errors": ("telemetry", "lost"),
        "process_resident_memory_bytes": ("process", "memory_bytes"),
        "process_cpu_seconds": ("process", "cpu_s"),
        "process_open_fds": ("process", "open_files"),
        "process_start_time_seconds": ("process", "started_at"),
    }
)


def figures(families: Iterable[Family], windows: Sequence[Window]) -> Figures:
    """Summarize `families` and the recent `windows` (one for each of `WINDOWS_S`)."""
    found = {family.name: family for family in families}
    shown: dict[str, dict[str, object]] = {}
    for name, (group, key) in _PLACES.items():
        if name in found and (value := _value(found[name])) is not None:
            shown.setdefault(group, {})[key] = value
    shown.setdefault("calls", {})["total"] = _sum(found, "wizard_requests")
    if "wizard_cost_usd" in found:
        shown["cost"] = {"usd": round(_sum(found, "wizard_cost_usd"), 6)}
    return {
        "version": next((labels[0] for labels, _ in _rows(found, "wizard_build_info")), ""),
        "workers": _sum(found, "wizard_workers"),
        **shown,
        "circuits": {labels[0]: _STATES[int(level)] for labels, level in _rows(found, "wizard_circuit_state")},
        "recent": {f"{length_s:g}s": _recent(window) for length_s, window in zip(WINDOWS_S, windows, strict=True)},
        "targets": _targets(found),
    }


def _recent(window: Window) -> Figures:
    totals, seconds = window.totals, window.seconds
    return {
        "seconds": round(seconds, 1),
        "calls_per_s": round(totals.calls / seconds, 3),
        "failed_per_s": round(totals.failed / seconds, 3),
        "failed_ratio": round(totals.failed / totals.calls, 4) if totals.calls else 0.0,
        "refused_per_s": round(totals.refused / seconds, 3),
        "left_per_s": round(totals.left / seconds, 3),
        "prompt_tokens_per_s": round(totals.prompt_tokens / seconds, 1),
        "completion_tokens_per_s": round(totals.completion_tokens / seconds, 1),
        "duration_ms": _percentiles(totals.durations),
        "first_token_ms": _percentiles(totals.first_tokens),
        "overhead_ms": _percentiles(totals.overheads),
    }


def _targets(found: Mapping[str, Family]) -> list[Figures]:
    """Return the figures of each target since the start, busiest first."""
    calls: dict[tuple[str, ...], dict[str, float]] = {}
    for labels, count in _rows(found, "wizard_requests"):
        row = calls.setdefault(labels[:-1], {"calls": 0, "failed": 0})
        row["calls"] += int(count)
        row["failed"] += int(count) if int(labels[-1]) >= _FAULT else 0
    scores = {
        key: dict(_rows(found, name))
        for key, name in (
            ("reliability", "wizard_target_reliability"),
            ("circuit_failure_ratio", "wizard_circuit_failure_ratio"),
        )
    }
    spreads = {
        key: {labels: spread_of(reading) for labels, reading in _readings(found, name)}
        for key, name in (
            ("duration_ms", "wizard_request_duration_seconds"),
            ("first_token_ms", "wizard_time_to_first_token_seconds"),
        )
    }
    return [
        {
            "provider": labels[0],
            "model": labels[1],
            **row,
            **{key: round(of[labels], 4) for key, of in scores.items() if labels in of},
            **{key: _percentiles(of[labels]) for key, of in spreads.items() if labels in of},
        }
        for labels, row in sorted(calls.items(), key=lambda item: -item[1]["calls"])
    ]


def _percentiles(spread: Spread) -> Figures:
    """Return percentiles in milliseconds, interpolated within buckets."""
    found = {name: spread.percentile(share) for name, share in _PERCENTILES}
    return {name: None if seconds is None else round(seconds * 1000, 2) for name, seconds in found.items()}


def _value(family: Family) -> object:
    """Return a number, or numbers by the last label; None if there is no row."""
    rows = _plain(family)
    if not rows:
        return None
    if not rows[0][0]:
        return _tidy(rows[0][1])
    sums: dict[str, float] = {}
    for labels, value in rows:
        sums[labels[-1]] = _tidy(sums.get(labels[-1], 0) + value)
    return sums


def _sum(found: Mapping[str, Family], name: str) -> float:
    return _tidy(sum(value for _, value in _rows(found, name)))


def _tidy(value: float) -> float:
    """Return whole numbers as `int`: numbers from other workers arrive as floats."""
    return int(value) if value == int(value) else round(value, 6)


def _rows(found: Mapping[str, Family], name: str) -> list[tuple[tuple[str, ...], float]]:
    return _plain(found[name]) if name in found else []


def _plain(family: Family) -> list[tuple[tuple[str, ...], float]]:
    match family:
        case HistogramFamily():
            return []
        case Sampled():
            return [(tuple(value for _, value in labels), value) for _, labels, value in family.rows]
        case _:
            return family.rows


def _readings(found: Mapping[str, Family], name: str) -> list[tuple[tuple[str, ...], Reading]]:
    family = found.get(name)
    return family.rows if isinstance(family, HistogramFamily) else []
