"""Counts tries at targets, and what calls did beyond a first try at a first target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import AttemptEnded, FellBack, RetryScheduled
from app.telemetry.metrics.families import CounterFamily, Family
from app.telemetry.metrics.part import Counted, counted
from app.telemetry.metrics.targets import OTHER, Targets, fit


class AttemptCounts:
    """
    Attempts, retries and fallbacks.

    Args:
        targets: The series of targets.

        label_sets_max: How many fallbacks (from, to, reason) get series of their own; later ones go from `other` to
            `other`.
    """

    def __init__(self, targets: Targets, label_sets_max: int) -> None:
        self._targets = targets
        self._label_sets_max = label_sets_max
        self._retries: dict[tuple[str, str], int] = {}
        self._fallbacks: dict[tuple[str, str, str], int] = {}

    def counts(self) -> Iterable[Counted]:
        """Count every try, every retry and every fallback."""
        return (
            counted(AttemptEnded, self._tried),
            counted(RetryScheduled, self._retried),
            counted(FellBack, self._fell_back),
        )

    def families(self) -> Iterator[Family]:
        """Yield what calls tried."""
        rows = self._targets.rows()
        yield CounterFamily(
            "wizard_attempts",
            "Tries at a target by their outcome: completed, failed, refused (the request was wrong), abandoned.",
            ("provider", "model", "outcome"),
            [((*labels, word), count) for labels, series in rows for word, count in [*series.attempts.items()]],
        )
        yield CounterFamily(
            "wizard_retry_attempts",
            "Further tries at the same target, by the kind of error that caused them.",
            ("provider", "error_kind"),
            list(self._retries.items()),
        )
        yield CounterFamily(
            "wizard_fallbacks",
            "Targets given up for the next one, by the code of the error.",
            ("from", "to", "reason"),
            list(self._fallbacks.items()),
        )

    def _tried(self, signal: AttemptEnded) -> None:
        self._targets.series(signal.provider, signal.model, signal.code).tried(signal.outcome)

    def _retried(self, signal: RetryScheduled) -> None:
        key = (signal.provider, signal.category)
        self._retries[key] = self._retries.get(key, 0) + 1

    def _fell_back(self, signal: FellBack) -> None:
        key = (signal.origin, signal.onward, signal.code)
        if key not in self._fallbacks and (
            len(self._fallbacks) >= self._label_sets_max or not (fit(signal.origin) and fit(signal.onward))
        ):
            key = (OTHER, OTHER, signal.code)
        self._fallbacks[key] = self._fallbacks.get(key, 0) + 1
