"""Renders families for Prometheus, by means of prometheus_client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from app.telemetry.metrics.families import CounterFamily, Family, GaugeFamily, HistogramFamily, Sampled
from app.telemetry.metrics.histograms import Mark, Reading

_ID_MAX_CHARS = 100  # OpenMetrics allows 128 characters for all labels of an exemplar with their names


class _Shown(Collector):
    """Families as a collector, the input of prometheus_client's encoders."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return map(_metric, self._families)


def render(families: Iterable[Family], accept: str) -> tuple[str, bytes]:
    """
    Return content type and body for a scraper that sent `accept` (may be empty): OpenMetrics or plain text.

    Takes tens of milliseconds for a hundred targets: call it in a thread, not in the event loop.
    """
    encode, content_type = choose_encoder(accept)
    return content_type, encode(_Shown(families))


def _metric(family: Family) -> Metric:
    match family:
        case CounterFamily():
            return _filled(CounterMetricFamily(family.name, family.text, labels=family.labels), family)
        case GaugeFamily():
            return _filled(GaugeMetricFamily(family.name, family.text, labels=family.labels), family)
        case HistogramFamily():
            return _histogram(family)
        case Sampled():
            return _sampled(family)


def _filled(
    metric: CounterMetricFamily | GaugeMetricFamily, family: CounterFamily | GaugeFamily
) -> CounterMetricFamily | GaugeMetricFamily:
    for values, number in family.rows:
        metric.add_metric(values, number)
    return metric


def _histogram(family: HistogramFamily) -> Metric:
    """Build a histogram; of labelled ones, those without a value are left out."""
    metric = HistogramMetricFamily(family.name, family.text, labels=family.labels)
    for values, reading in family.rows:
        if reading.cumulative[-1] or not family.labels:
            metric.add_metric(values, _buckets(reading), reading.total)
    return metric


def _buckets(reading: Reading) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
    bounds = (*map(floatToGoString, reading.bounds), "+Inf")
    exemplars = map(_exemplar, reading.marks or (None,) * len(bounds))
    return [
        (bound, count) if exemplar is None else (bound, count, exemplar)
        for bound, count, exemplar in zip(bounds, reading.cumulative, exemplars, strict=True)
    ]


def _exemplar(mark: Mark | None) -> Exemplar | None:
    if mark is None or len(mark.request_id) > _ID_MAX_CHARS:
        return None
    labels = {"trace_id": mark.trace_id} if mark.trace_id else {"request_id": mark.request_id}
    return Exemplar(labels, mark.value)


def _sampled(family: Sampled) -> Metric:
    metric = Metric(family.name, family.text, family.kind)
    for name, labels, value in family.rows:
        metric.add_sample(name, dict(labels), value)
    return metric
