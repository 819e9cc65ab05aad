"""Who listens to what the gateway reports: the log, the metrics, and whoever has to be alarmed."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from app import __version__
from app.config.schema import Settings
from app.core.clock import Clock
from app.core.ports import UpstreamClient
from app.core.resting import Resting
from app.telemetry.alerts import Alerts
from app.telemetry.fanout import FanOut
from app.telemetry.logs import LogBook
from app.telemetry.metrics import Metrics
from app.telemetry.metrics.asked import Build, Losses
from app.telemetry.metrics.collector import MetricsCollector
from app.telemetry.metrics.part import Part
from app.telemetry.output import standard_output


class Telemetry:
    """
    The listeners of one process; `listener` tells all of them.

    Args:
        settings: Those in use at the start.

        client: Sends what the outside has to know.

        clock: Source of time.
    """

    def __init__(self, settings: Settings, client: UpstreamClient, clock: Clock) -> None:
        self.book = LogBook(standard_output(), clock, level=settings.logging.level, line_format=settings.logging.format)
        self.resting = Resting()
        self.alerts = Alerts(client, clock)
        self._metrics = Metrics()
        self.listener = FanOut([self._metrics, self.book, self.resting, self.alerts])

    def follow(self, settings: Settings) -> None:
        """Take over newer settings."""
        self.book.set_level(settings.logging.level)
        self.alerts.url = settings.alerts.webhook_url

    def registry(self, asked: Iterable[Part]) -> CollectorRegistry:
        """Return what Prometheus is shown: what was counted, and what `asked` says when it is asked."""
        losses = Losses(
            {
                "logs": lambda: self.book.dropped,
                "alerts": lambda: self.alerts.lost,
                "fanout": lambda: self.listener.errors,
            }
        )
        registry = CollectorRegistry()
        registry.register(MetricsCollector([Build(__version__), *self._metrics.parts, *asked, losses]))
        return registry
