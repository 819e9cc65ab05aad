"""What the gateway has to reach: the table that `make slo` measures against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec


class Objective(msgspec.Struct, frozen=True):
    """One figure: its key among the measured, what people call it, its bound (at most or at least), and its unit."""

    key: str
    text: str
    bound: float
    unit: str
    at_least: bool = False

    def is_met(self, figure: float | None) -> bool:
        """Say whether a figure keeps the bound; one that could not be taken does not."""
        if figure is None:
            return False
        return figure >= self.bound if self.at_least else figure <= self.bound


OBJECTIVES: Final[Sequence[Objective]] = (
    Objective("overhead_p50_ms", "added to a unary call, 4 at a time, p50", 1.0, "ms"),
    Objective("overhead_p95_ms", "the same, p95", 3.0, "ms"),
    Objective("overhead_p99_ms", "the same, p99", 10.0, "ms"),
    Objective("first_token_ms", "added to the first token of 4 streams at a time, p50", 1.0, "ms"),
    Objective("requests_per_s", "unary requests on one core", 1000.0, "/s", at_least=True),
    Objective("request_errors", "failed among them", 0.0, ""),
    Objective("session_errors", "failed turns of 100 concurrent sessions", 0.0, ""),
    Objective("client_kb", "memory for each idle client", 6.0, "KB"),
    Objective("stream_kb", "memory for each open stream", 25.0, "KB"),
    Objective("session_kb", "memory for each session with one message", 4.0, "KB"),
    Objective("cached_kb", "memory for each stored answer of 0.7 KB", 4.0, "KB"),
    Objective("idle_cpu_percent", "CPU at rest, of one core", 1.0, "%"),
    Objective("idle_mb", "memory at rest", 80.0, "MB"),
    Objective("start_s", "start to the first answer", 2.0, "s"),
)


def render(measured: Mapping[str, float]) -> str:
    """Write the table, with pass or fail."""
    lines = ["| objective | measured | bound | |", "|---|---:|---:|---|"]
    for each in OBJECTIVES:
        figure = measured.get(each.key)
        shown = "-" if figure is None else f"{figure:,.2f}".rstrip("0").rstrip(".")
        sign = ">=" if each.at_least else "<="
        verdict = "pass" if each.is_met(figure) else "FAIL"
        lines.append(f"| {each.text} | {shown} {each.unit} | {sign} {each.bound:g} {each.unit} | {verdict} |")
    return "\n".join(lines).replace("  |", " |") + "\n"


def failed(measured: Mapping[str, float]) -> Sequence[str]:
    """Return what people call the objectives that are missed."""
    return [each.text for each in OBJECTIVES if not each.is_met(measured.get(each.key))]
