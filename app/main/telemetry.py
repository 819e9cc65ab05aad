"""The listeners to the gateway's signals: the log, the metrics, the resting targets and the alerts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app import __version__
from app.config.schema import Settings
from app.core.circuits import Resting
from app.core.clock import Clock
from app.core.ports import UpstreamClient
from app.telemetry.alerts import Alerts
from app.telemetry.fanout import FanOut
from app.telemetry.logs import LogBook
from app.telemetry.metrics import Metrics
from app.telemetry.metrics.on_scrape import OnScrape, build, foreign_registry
from app.telemetry.metrics.part import Part
from app.telemetry.output import standard_output


class Telemetry:
    """
    The listeners of one process; `listener` passes each signal to all of them.

    `registry` collects what other libraries count with prometheus_client; `losses` counts what could not be
    delivered, by part.

    Args:
        settings: The settings at the start.

        client: Sends alerts.
    """

    def __init__(self, settings: Settings, client: UpstreamClient, clock: Clock) -> None:
        self.book = LogBook(standard_output(), clock, level=settings.logging.level, line_format=settings.logging.format)
        self.resting = Resting()
        self.alerts = Alerts(client, clock)
        self._metrics = Metrics()
        self.listener = FanOut([self._metrics, self.book, self.resting, self.alerts])
        self.registry = foreign_registry()
        self.losses: dict[str, Callable[[], int]] = {
            "logs": lambda: self.book.dropped,
            "alerts": lambda: self.alerts.lost,
            "fanout": lambda: self.listener.errors,
        }

    @property
    def parts(self) -> Sequence[Part]:
        """Return the parts of the metrics that count signals, and the one that shows the version."""
        return [OnScrape(build, __version__), *self._metrics.parts]

    def follow(self, settings: Settings) -> None:
        """Apply newer settings."""
        self.book.set_level(settings.logging.level)
        url = settings.alerts.webhook_url
        self.alerts.url = None if url is None else url.get_secret_value()
