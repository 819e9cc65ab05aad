"""The series of each target. Callers can ask a provider for any model name, so the number of series is bounded."""

from __future__ import annotations

from collections import defaultdict

from app.core.errors import TARGET_MODEL_MISSING
from app.telemetry.metrics.histograms import DURATION_S, FIRST_TOKEN_S, MarkedHistogram

LABEL_SETS_MAX = 500  # about 20,000 lines of exposition, little for Prometheus
NONE = "none"  # provider and model of a call that reached no target
OTHER = "other"  # model of targets beyond the limit
_LABEL_MAX_CHARS = 200


class TargetSeries:
    """The counts of one model at one provider: requests by status, attempts by outcome, and so on."""

    __slots__ = ("attempts", "completion_tokens", "cost_nusd", "durations", "first_tokens", "prompt_tokens", "statuses")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = defaultdict(int)
        self.attempts: dict[str, int] = defaultdict(int)
        self.durations = MarkedHistogram(DURATION_S)
        self.first_tokens = MarkedHistogram(FIRST_TOKEN_S)
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cost_nusd = 0


class Targets:
    """
    Series by provider and model.

    Args:
        label_sets_max: How many pairs of provider and model get series of their own; later ones share the model
            `other`.
    """

    def __init__(self, label_sets_max: int) -> None:
        self._label_sets_max = label_sets_max
        self._label_sets = 0
        self._series: dict[tuple[str, str], TargetSeries] = {}

    def rows(self) -> list[tuple[tuple[str, str], TargetSeries]]:
        """Return all series by their labels, copied atomically: the event loop goes on counting."""
        return list(self._series.items())

    def series(self, provider: str, model: str, code: str = "") -> TargetSeries:
        """Return the series of a target; `code` is the error code of its call."""
        found = self._series.get((provider, model))
        return self._admit(provider, model, code) if found is None else found

    def _admit(self, provider: str, model: str, code: str) -> TargetSeries:
        """
        Create the series of a target, or return those of `other`.

        A model that the provider does not have gets none: guessed names must not use up the limit.
        """
        if not provider:
            labels = (NONE, NONE)
        elif self._label_sets >= self._label_sets_max or code == TARGET_MODEL_MISSING.code or not fit(model):
            labels = (provider, OTHER)
        else:
            self._label_sets += 1
            labels = (provider, model)
        return self._series.setdefault(labels, TargetSeries())


def fit(label: str) -> bool:
    """Return whether a name may be a label value; an unprintable one could break the whole exposition."""
    return len(label) <= _LABEL_MAX_CHARS and label.isprintable()
