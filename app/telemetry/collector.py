"""Shows the counters to Prometheus: the one place that knows the metrics' names, and that uses prometheus_client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from app.core.keys import KeyState
from app.telemetry.counters import Reading, TargetSeries
from app.telemetry.metrics import Metrics

_TARGET = ("provider", "model")
_Rows = list[tuple[tuple[str, str], TargetSeries]]


class MetricsCollector(Collector):
    """
    A collector for a registry; may be asked from any thread.

    Args:
        metrics: What is counted.

        version: The gateway's, for `wizard_build_info`.

        losses: What telemetry itself lost, by part (`logs`, `fanout`): functions that return totals.

        keys: Tells how many keys of which provider are in which state.
    """

    def __init__(
        self,
        metrics: Metrics,
        version: str,
        losses: Mapping[str, Callable[[], int]],
        keys: Callable[[], Iterable[tuple[str, KeyState, int]]],
    ) -> None:
        self._metrics = metrics
        self._version = version
        self._losses = dict(losses)
        self._keys = keys

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its present values."""
        metrics = self._metrics
        rows = list(metrics.targets.items())  # copied in one step: the loop goes on counting meanwhile
        yield _gauge(
            "wizard_build_info", "Version of the gateway; the value is always 1.", 1, {"version": self._version}
        )
        yield from _requests(rows)
        yield _attempts(rows)
        yield _histogram(
            "wizard_overhead_seconds",
            "Time up to the first byte of the answer that was not spent waiting for a provider.",
            (),
            [((), metrics.overheads.read())],
        )
        yield from _moves(metrics)
        yield from _circuits(metrics)
        yield from _gate(metrics)
        yield _gauge("wizard_active_requests", "Requests being worked on.", metrics.active_requests, {})
        yield _gauge("wizard_streams_active", "Streams being sent.", metrics.active_streams, {})
        yield _provider_keys(self._keys())
        yield _histogram(
            "wizard_stream_tokens_per_second",
            "Completion tokens per second of each stream, from its first event to its last.",
            (),
            [((), metrics.token_rates.read())],
        )
        yield _counter(
            "wizard_telemetry_errors",
            "Log lines and signals that were lost.",
            ("part",),
            [((part,), lost()) for part, lost in self._losses.items()],
        )


def render(registry: CollectorRegistry, accept: str) -> tuple[str, bytes]:
    """
    Return content type and body for a scraper that sent `accept` (may be empty): OpenMetrics or plain text.

    Takes tens of milliseconds for a hundred targets: call it in a thread, not in the event loop.
    """
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)


def _moves(metrics: Metrics) -> Iterator[Metric]:
    """Yield what calls did beyond a first try at a first target."""
    yield _counter(
        "wizard_retry_attempts",
        "Further tries at the same target, by the kind of error that caused them.",
        ("provider", "error_kind"),
        list(metrics.retries.items()),
    )
    yield _counter(
        "wizard_fallbacks",
        "Targets given up for the next one, by the code of the error.",
        ("from", "to", "reason"),
        list(metrics.fallbacks.items()),
    )
    yield _counter(
        "wizard_hedges",
        "Second targets asked while the first was silent: won (it answered), lost (the first did), failed, abandoned.",
        ("outcome",),
        [((outcome,), count) for outcome, count in metrics.hedges.items()],
    )
    yield _counter(
        "wizard_success_position",
        "Completed requests by the position of the target that answered (0: the first; 9: that and beyond).",
        ("position",),
        [((str(position),), count) for position, count in enumerate(metrics.success_positions)],
    )


def _gate(metrics: Metrics) -> Iterator[Metric]:
    """Yield who waits to be let in, and who is sent away."""
    depths = GaugeMetricFamily("wizard_queue_depth", "Calls that wait for a place.", labels=("priority",))
    for priority, depth in metrics.queue_depths.items():
        depths.add_metric((priority,), depth)
    yield depths
    yield _histogram(
        "wizard_queue_wait_seconds",
        "Time that calls which had to wait for a place did so, whatever became of them.",
        (),
        [((), metrics.queue_waits.read())],
    )
    limit = GaugeMetricFamily("wizard_admission_limit", "Calls that may be worked on at the same time.", labels=())
    if metrics.admission_limit is not None:
        limit.add_metric((), metrics.admission_limit)
    yield limit
    yield _counter(
        "wizard_admission_refused",
        "Calls for which there was no room: queue_full, pushed_out, too_late.",
        ("reason",),
        [((reason,), count) for reason, count in list(metrics.shed.items())],
    )


def _attempts(rows: _Rows) -> Metric:
    return _counter(
        "wizard_attempts",
        "Tries at a target by their outcome: completed, failed, refused (the request was wrong), abandoned.",
        (*_TARGET, "outcome"),
        [((*labels, word), count) for labels, series in rows for word, count in list(series.attempts.items())],
    )


def _requests(rows: _Rows) -> Iterator[Metric]:
    yield _counter(
        "wizard_requests",
        "Requests that ended, by HTTP status (499: the client left).",
        (*_TARGET, "status"),
        [((*labels, str(status)), count) for labels, series in rows for status, count in list(series.statuses.items())],
    )
    yield _histogram(
        "wizard_request_duration_seconds",
        "Time from the start of a call to its last byte.",
        _TARGET,
        [(labels, series.durations.read()) for labels, series in rows],
    )
    yield _histogram(
        "wizard_time_to_first_token_seconds",
        "Time from the start of a call to the first event of its stream.",
        _TARGET,
        [(labels, series.first_tokens.read()) for labels, series in rows],
    )
    yield _counter(
        "wizard_tokens",
        "Tokens as counted by the providers.",
        (*_TARGET, "type"),
        [
            ((*labels, kind), count)
            for labels, series in rows
            for kind, count in (("prompt", series.prompt_tokens), ("completion", series.completion_tokens))
        ],
    )


def _circuits(metrics: Metrics) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "wizard_circuit_state",
        "The worst state among the circuits of a provider's targets: 0 closed, 1 half-open, 2 open.",
        labels=("provider",),
    )
    for labels, level in metrics.circuits.states():
        states.add_metric(labels, level)
    yield states
    yield _counter(
        "wizard_circuit_transitions",
        "Changes of state that this process decided.",
        ("provider", "from", "to"),
        metrics.circuits.transitions(),
    )
    yield _gauge("wizard_state_degraded", "1 while shared state is out of reach.", int(metrics.state_degraded), {})


def _counter(name: str, text: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], int]]) -> Metric:
    """Build a counter; its samples get the suffix `_total`."""
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in rows:
        family.add_metric(values, count)
    return family


def _gauge(name: str, text: str, value: int, labels: Mapping[str, str]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=tuple(labels))
    family.add_metric(tuple(labels.values()), value)
    return family


def _provider_keys(rows: Iterable[tuple[str, KeyState, int]]) -> Metric:
    text = "Keys of providers that have several, by state: usable, cooling (rate limited), disabled (refused)."
    family = GaugeMetricFamily("wizard_provider_keys", text, labels=("provider", "state"))
    for provider, state, count in rows:
        family.add_metric((provider, state.value), count)
    return family


def _histogram(name: str, text: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], Reading]]) -> Metric:
    """Build a histogram; of labelled ones, those without a value are left out."""
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, reading in rows:
        if reading.cumulative[-1] or not labels:
            marks = (*map(floatToGoString, reading.bounds), "+Inf")
            family.add_metric(values, list(zip(marks, reading.cumulative, strict=True)), reading.total)
    return family
