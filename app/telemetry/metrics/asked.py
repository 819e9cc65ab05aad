"""Parts that count nothing themselves, but ask when they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from app.core.health import Checked
from app.core.provider_keys import KeyState
from app.core.rules import Measure
from app.telemetry.metrics.families import CounterFamily, Family, GaugeFamily, Merge
from app.telemetry.metrics.part import Counted


class Asked:
    """What parts that only ask have in common: no signal concerns them."""

    def counts(self) -> Iterable[Counted]:
        """Count nothing."""
        return ()


class Build(Asked):
    """Shows the gateway's version, and that this worker is there."""

    def __init__(self, version: str) -> None:
        self._version = version

    def families(self) -> Iterator[Family]:
        """Yield the version as a label, and one worker."""
        text = "Version of the gateway; the value is always 1."
        yield GaugeFamily("wizard_build_info", text, ("version",), [((self._version,), 1)], Merge.MAX)
        yield GaugeFamily("wizard_workers", "Worker processes that this shows together.", (), [((), 1)])


class ConfigInUse(Asked):
    """Shows which configuration is in use, by its digest."""

    def __init__(self, digest: Callable[[], str]) -> None:
        self._digest = digest

    def families(self) -> Iterator[Family]:
        """Yield the digest as a label; two of them are two processes that do not agree."""
        text = "Digest of the configuration in use; the value is always 1."
        yield GaugeFamily("wizard_config_info", text, ("digest",), [((self._digest(),), 1)], Merge.MAX)


class ProvidersUp(Asked):
    """Shows which providers answered when they were last asked how they are."""

    def __init__(self, views: Callable[[], list[Checked]]) -> None:
        self._views = views

    def families(self) -> Iterator[Family]:
        """Yield a row for each that is asked; if workers disagree, the worst counts."""
        views = self._views()
        text = "Whether a provider is up (1) or down (0), as far as it is asked (providers.<name>.health)."
        rows: list[tuple[tuple[str, ...], float]] = [((view.provider,), float(view.up)) for view in views]
        yield GaugeFamily("wizard_provider_up", text, ("provider",), rows, Merge.MIN)
        took = "Seconds that the last question took, by which that is found out."
        rows = [((view.provider,), view.took_s) for view in views]
        yield GaugeFamily("wizard_provider_probe_seconds", took, ("provider",), rows, Merge.MAX)


class Losses(Asked):
    """Shows what telemetry itself lost, by part (`logs`, `fanout` ...): functions that return totals."""

    def __init__(self, losses: Mapping[str, Callable[[], int]]) -> None:
        self._losses = losses

    def families(self) -> Iterator[Family]:
        """Yield the totals."""
        yield CounterFamily(
            "wizard_telemetry_errors",
            "Log lines and signals that were lost.",
            ("part",),
            [((part,), lost()) for part, lost in self._losses.items()],
        )


class ProviderKeys(Asked):
    """Shows how many keys of which provider are in which state: they return to service without a signal."""

    def __init__(self, keys: Callable[[], Iterable[tuple[str, KeyState, int]]]) -> None:
        self._keys = keys

    def families(self) -> Iterator[Family]:
        """Yield the numbers."""
        yield GaugeFamily(
            "wizard_provider_keys",
            "Keys of providers that have several, by state: usable, cooling (rate limited), disabled (refused).",
            ("provider", "state"),
            [((provider, state.value), count) for provider, state, count in self._keys()],
            Merge.MAX,
        )


class ProviderLimits(Asked):
    """Shows how much of the own limits of providers that are followed is used up, as they said last."""

    def __init__(self, left: Callable[[], Mapping[tuple[str, Measure], float]]) -> None:
        self._left = left

    def families(self) -> Iterator[Family]:
        """Yield the shares, of the model with the least left."""
        yield GaugeFamily(
            "wizard_provider_limit_used_ratio",
            "Share of a provider's own limit that is used, 0 to 1, as it said last.",
            ("provider", "measure"),
            [((provider, measure.value), 1.0 - left) for (provider, measure), left in self._left().items()],
            Merge.MAX,
        )
