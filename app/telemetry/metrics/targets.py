"""The series of each target. Any name may be asked for at a known provider, so that their number is bounded."""

from __future__ import annotations

from collections import defaultdict

from app.core.errors import TARGET_MODEL_MISSING
from app.telemetry.metrics.histograms import DURATION_S, FIRST_TOKEN_S, MarkedHistogram

LABEL_SETS_MAX = 500  # about 20,000 lines of exposition, which Prometheus takes without a thought
NONE = "none"  # provider and model of a call that reached no target
OTHER = "other"  # model of targets beyond the limit
_LABEL_MAX_CHARS = 200


class TargetSeries:
    """What is counted for one model at one provider: requests by their status, attempts by their outcome, and so on."""

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
    Series by provider and model, shared by the parts that count for targets.

    Args:
        label_sets_max: How many pairs of provider and model get series of their own; later ones share those of the
            model `other`.
    """

    def __init__(self, label_sets_max: int) -> None:
        self._label_sets_max = label_sets_max
        self._label_sets = 0
        self._series: dict[tuple[str, str], TargetSeries] = {}

    def rows(self) -> list[tuple[tuple[str, str], TargetSeries]]:
        """Return all series by their labels, copied in one step: the loop goes on counting meanwhile."""
        return list(self._series.items())

    def series(self, provider: str, model: str, code: str = "") -> TargetSeries:
        """Find the series of a target; `code` is what its call failed with."""
        found = self._series.get((provider, model))
        return self._admit(provider, model, code) if found is None else found

    def _admit(self, provider: str, model: str, code: str) -> TargetSeries:
        """
        Give a target series of its own, or those of `other`.

        A model that the provider does not have is never admitted: guessing names must not use up the places of real
        ones.
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
    """Say whether a name may be a label; an unprintable one could break the exposition for all."""
    return len(label) <= _LABEL_MAX_CHARS and label.isprintable()
