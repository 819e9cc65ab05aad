"""Counts calls and attempts: number, duration, target, tokens and cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from app.core.errors import CLIENT_CLOSED
from app.core.money import usd
from app.core.outcome import End
from app.core.signals import AttemptEnded, CallEnded, CallRefused, CallStarted, Spent, StreamStarted
from app.telemetry.metrics.families import CounterFamily, Family, GaugeFamily, HistogramFamily
from app.telemetry.metrics.histograms import GAP_S, OVERHEAD_S, TOKENS_PER_S, Histogram
from app.telemetry.metrics.part import Counted, counted
from app.telemetry.metrics.targets import Targets, TargetSeries

POSITION_MAX = 9  # positions beyond it count as this one
_TARGET: Final = ("provider", "model")
_COMPLETED, _ABANDONED = End.COMPLETED.word, End.ABANDONED.word
_Rows: TypeAlias = list[tuple[tuple[str, str], TargetSeries]]


class CallCounts:
    """Calls from start to end; `label_sets_max` is how many targets get series of their own."""

    def __init__(self, label_sets_max: int) -> None:
        self._targets = Targets(label_sets_max)
        self._overheads = Histogram(OVERHEAD_S)
        self._token_rates = Histogram(TOKENS_PER_S)
        self._gaps = Histogram(GAP_S)
        self._success_positions = [0] * (POSITION_MAX + 1)
        self._active_requests = 0
        self._active_streams = 0
        self._unpriced = 0
        self._estimated = 0

    def counts(self) -> Iterable[Counted]:
        """Count calls, their attempts and cost, and requests that were refused before they became calls."""
        return (
            counted(CallStarted, self._started),
            counted(StreamStarted, self._stream_started),
            counted(CallEnded, self._ended),
            counted(CallRefused, self._refused),
            counted(AttemptEnded, self._tried),
            counted(Spent, self._spent),
        )

    def families(self) -> Iterator[Family]:
        """Yield the metrics of calls."""
        rows = self._targets.rows()
        yield from _by_target(rows)
        yield from _attempts(rows)
        yield HistogramFamily(
            "wizard_overhead_seconds",
            "Time up to the first byte of the answer that was not spent waiting for a provider.",
            (),
            [((), self._overheads.read())],
        )
        yield CounterFamily(
            "wizard_success_position",
            "Completed requests by the position of the target that answered (0: the first; 9: that and beyond).",
            ("position",),
            [((str(position),), count) for position, count in enumerate(self._success_positions)],
        )
        yield GaugeFamily("wizard_active_requests", "Requests being worked on.", (), [((), self._active_requests)])
        yield GaugeFamily("wizard_streams_active", "Streams being sent.", (), [((), self._active_streams)])
        yield HistogramFamily(
            "wizard_stream_tokens_per_second",
            "Completion tokens per second of each stream, from its first event to its last.",
            (),
            [((), self._token_rates.read())],
        )
        yield HistogramFamily(
            "wizard_stream_longest_gap_seconds",
            "Longest time in which a stream said nothing, from its first event to its last.",
            (),
            [((), self._gaps.read())],
        )
        text = "Attempts of which nobody knows the price."
        yield CounterFamily("wizard_unpriced_attempts", text, (), [((), self._unpriced)])
        text = "Attempts whose usage the provider did not report, so that it was estimated."
        yield CounterFamily("wizard_estimated_attempts", text, (), [((), self._estimated)])

    def _started(self, _signal: CallStarted) -> None:
        self._active_requests += 1

    def _stream_started(self, signal: StreamStarted) -> None:
        self._active_streams += 1
        series = self._targets.series(signal.provider, signal.model)
        series.first_tokens.mark(signal.first_token_s, signal.request_id, signal.trace_id)

    def _tried(self, signal: AttemptEnded) -> None:
        self._targets.series(signal.provider, signal.model, signal.code).attempts[signal.outcome] += 1

    def _spent(self, signal: Spent) -> None:
        self._estimated += signal.estimated
        if signal.cost_nusd is None:
            self._unpriced += 1
        else:
            self._targets.series(signal.provider, signal.model).cost_nusd += signal.cost_nusd

    def _refused(self, signal: CallRefused) -> None:
        self._targets.series("", "").statuses[signal.status] += 1

    def _ended(self, signal: CallEnded) -> None:
        if self._active_requests:
            self._active_requests -= 1
        if signal.first_token_s is not None and self._active_streams:  # set if and only if its StreamStarted was sent
            self._active_streams -= 1
        series = self._targets.series(signal.provider, signal.target_model, signal.code)
        series.statuses[CLIENT_CLOSED.status if signal.outcome == _ABANDONED else signal.status] += 1
        series.durations.mark(signal.duration_s, signal.request_id, signal.trace_id)
        if signal.outcome == _COMPLETED:
            self._success_positions[min(signal.position, POSITION_MAX)] += 1
        self._overheads.observe(signal.overhead_s)
        if not signal.attempts:
            return  # a cached answer, or another call's: its tokens are counted already
        if signal.longest_gap_s is not None:
            self._gaps.observe(signal.longest_gap_s)
        if signal.tokens_per_s is not None:
            self._token_rates.observe(signal.tokens_per_s)
        usage = signal.usage
        if usage is not None:
            series.prompt_tokens += usage.prompt_tokens
            series.completion_tokens += usage.completion_tokens


def _by_target(rows: _Rows) -> Iterator[Family]:
    yield CounterFamily(
        "wizard_requests",
        "Requests that ended, by HTTP status (499: the client left).",
        (*_TARGET, "status"),
        [((*labels, str(status)), count) for labels, series in rows for status, count in [*series.statuses.items()]],
    )
    yield HistogramFamily(
        "wizard_request_duration_seconds",
        "Time from the start of a call to its last byte.",
        _TARGET,
        [(labels, series.durations.read()) for labels, series in rows],
    )
    yield HistogramFamily(
        "wizard_time_to_first_token_seconds",
        "Time from the start of a call to the first event of its stream.",
        _TARGET,
        [(labels, series.first_tokens.read()) for labels, series in rows],
    )
    yield CounterFamily(
        "wizard_tokens",
        "Tokens as counted by the providers.",
        (*_TARGET, "type"),
        [
            ((*labels, kind), count)
            for labels, series in rows
            for kind, count in (("prompt", series.prompt_tokens), ("completion", series.completion_tokens))
        ],
    )


def _attempts(rows: _Rows) -> Iterator[Family]:
    yield CounterFamily(
        "wizard_attempts",
        "Tries at a target by their outcome: completed, failed, refused (the request was wrong for it), abandoned.",
        (*_TARGET, "outcome"),
        [((*labels, word), count) for labels, series in rows for word, count in [*series.attempts.items()]],
    )
    yield CounterFamily(
        "wizard_cost_usd",
        "US dollars that attempts cost, by the prices that are known.",
        _TARGET,
        [(labels, usd(series.cost_nusd)) for labels, series in rows if series.cost_nusd],
    )
