"""Counts what happens. Labels come from bounded sets only: no caller can make new ones without end."""

from __future__ import annotations

from app.core.admission import Priority
from app.core.call import End
from app.core.errors import CLIENT_CLOSED, TARGET_MODEL_MISSING
from app.core.signals import (
    AdmissionLimitChanged,
    AttemptEnded,
    CallEnded,
    CallQueued,
    CallRefused,
    CallShed,
    CallStarted,
    CallUnqueued,
    CircuitChanged,
    ConfigRejected,
    ConfigReloaded,
    FellBack,
    HedgeEnded,
    HedgeStarted,
    InternalFault,
    KeySetAside,
    LocalModelChanged,
    Overloaded,
    RetryScheduled,
    Signal,
    StateDegraded,
    StreamStarted,
)
from app.telemetry.circuits import CircuitCounts
from app.telemetry.counters import OVERHEAD_S, QUEUE_WAIT_S, TOKENS_PER_S, Histogram, TargetSeries

LABEL_SETS_MAX = 500  # about 20,000 lines of exposition, which Prometheus takes without a thought
NONE = "none"  # provider and model of a call that reached no target
OTHER = "other"  # model of targets beyond the limit
_LABEL_MAX_CHARS = 200
POSITION_MAX = 9  # positions beyond it count as this one
_COMPLETED, _ABANDONED = End.COMPLETED.value, End.ABANDONED.value


class Metrics:
    """
    A listener that counts. Written by one thread; what it holds may be read by others at any time.

    Args:
        label_sets_max: How many pairs of provider and model get series of their own, and how many fallbacks (from,
            to, reason); later ones are counted as `other`.
    """

    def __init__(self, *, label_sets_max: int = LABEL_SETS_MAX) -> None:
        self._label_sets_max = label_sets_max
        self._label_sets = 0
        self.targets: dict[tuple[str, str], TargetSeries] = {}
        self.retries: dict[tuple[str, str], int] = {}
        self.fallbacks: dict[tuple[str, str, str], int] = {}
        self.hedges = {"won": 0, "lost": 0, "failed": 0, "abandoned": 0}
        self.success_positions = [0] * (POSITION_MAX + 1)
        self.overheads = Histogram(OVERHEAD_S)
        self.token_rates = Histogram(TOKENS_PER_S)
        self.circuits = CircuitCounts()
        self.state_degraded = False
        self.active_requests = 0
        self.active_streams = 0
        self.queue_depths = {priority.word: 0 for priority in Priority}
        self.queue_waits = Histogram(QUEUE_WAIT_S)
        self.shed: dict[str, int] = {}
        self.admission_limit: int | None = None

    def __call__(self, signal: Signal) -> None:  # noqa: C901, PLR0912 - one case for each signal
        """Count a signal."""
        match signal:
            case CallStarted():
                self.active_requests += 1
            case CallEnded():
                self._ended(signal)
            case AttemptEnded():
                self._series(signal.provider, signal.model, signal.code).tried(signal.outcome)
            case StreamStarted():
                self.active_streams += 1
                self._series(signal.provider, signal.model).first_tokens.observe(signal.first_token_s)
            case RetryScheduled():
                retry = (signal.provider, signal.category)
                self.retries[retry] = self.retries.get(retry, 0) + 1
            case FellBack():
                self._fell_back(signal)
            case HedgeEnded():
                self.hedges[signal.outcome] += 1
            case CallRefused():
                self._series("", "").count(signal.status)
            case CircuitChanged():
                self.circuits.count(signal)
            case StateDegraded():
                self.state_degraded = signal.degraded
            case KeySetAside():
                pass  # the states of keys are asked for when they are shown: keys return without a signal
            case CallQueued() | CallUnqueued() | CallShed() | AdmissionLimitChanged():
                self._at_the_gate(signal)
            case ConfigReloaded():
                self.admission_limit = None  # the next call says what it is now, if there is one
            case HedgeStarted() | InternalFault() | LocalModelChanged() | ConfigRejected() | Overloaded():
                pass  # the log tells these; what a fault did to its call is counted with the call

    def _ended(self, signal: CallEnded) -> None:
        self.active_requests = max(0, self.active_requests - 1)
        if signal.first_token_s is not None:  # set if and only if the call's StreamStarted was sent
            self.active_streams = max(0, self.active_streams - 1)
        series = self._series(signal.provider, signal.target_model, signal.code)
        series.count(CLIENT_CLOSED.status if signal.outcome == _ABANDONED else signal.status)
        series.durations.observe(signal.duration_s)
        if signal.outcome == _COMPLETED:
            self.success_positions[min(signal.position, POSITION_MAX)] += 1
        self.overheads.observe(signal.overhead_s)
        if signal.tokens_per_s is not None:
            self.token_rates.observe(signal.tokens_per_s)
        if signal.usage is not None:
            series.prompt_tokens += signal.usage.prompt_tokens
            series.completion_tokens += signal.usage.completion_tokens

    def _at_the_gate(self, signal: CallQueued | CallUnqueued | CallShed | AdmissionLimitChanged) -> None:
        match signal:
            case CallQueued():
                self.queue_depths[signal.priority] += 1
            case CallUnqueued():
                self.queue_depths[signal.priority] = max(0, self.queue_depths[signal.priority] - 1)
                self.queue_waits.observe(signal.wait_s)
            case CallShed():
                self.shed[signal.reason] = self.shed.get(signal.reason, 0) + 1
            case AdmissionLimitChanged():
                self.admission_limit = signal.limit

    def _series(self, provider: str, model: str, code: str = "") -> TargetSeries:
        """Find the series of a target; `code` is what its call failed with."""
        found = self.targets.get((provider, model))
        return self._admit(provider, model, code) if found is None else found

    def _admit(self, provider: str, model: str, code: str) -> TargetSeries:
        """
        Give a target series of its own, or those of `other`.

        Any name may be asked for at a known provider, so a model that the provider does not have is never admitted:
        guessing names must not use up the places of real ones.
        """
        if not provider:
            labels = (NONE, NONE)
        elif self._label_sets >= self._label_sets_max or code == TARGET_MODEL_MISSING.code or not _fit(model):
            labels = (provider, OTHER)
        else:
            self._label_sets += 1
            labels = (provider, model)
        return self.targets.setdefault(labels, TargetSeries())

    def _fell_back(self, signal: FellBack) -> None:
        key = (signal.origin, signal.onward, signal.code)
        if key not in self.fallbacks and (
            len(self.fallbacks) >= self._label_sets_max or not (_fit(signal.origin) and _fit(signal.onward))
        ):
            key = (OTHER, OTHER, signal.code)
        self.fallbacks[key] = self.fallbacks.get(key, 0) + 1


def _fit(label: str) -> bool:
    """Say whether a name may be a label; an unprintable one could break the exposition for all."""
    return len(label) <= _LABEL_MAX_CHARS and label.isprintable()
