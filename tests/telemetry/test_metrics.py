"""What is counted, under which labels, as a scraper sees it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from app.core.circuits import CircuitState, CircuitView
from app.core.provider_keys import KeyState
from app.core.signals import CircuitChanged, Signal
from app.core.usage import Usage
from app.telemetry.metrics import UNCOUNTED, Metrics
from app.telemetry.metrics.collector import render
from app.telemetry.metrics.families import GaugeFamily
from app.telemetry.metrics.gathering import shown
from app.telemetry.metrics.on_scrape import OnScrape, build, losses, provider_keys
from app.telemetry.metrics.plain import NAMES_MAX
from app.telemetry.metrics.target_state import Admitted, circuit_standings, reliabilities
from tests.telemetry.examples import (
    ATTEMPT,
    CLOSED,
    DEGRADED,
    ENDED,
    EXCEEDED,
    FELL_BACK,
    HALF_OPENED,
    HEDGE,
    HEDGE_ENDED,
    LEFT,
    LIMIT,
    OPENED,
    QUEUED,
    REFUSED,
    RELOADED,
    RESTORED,
    RESUMED,
    RETRY,
    SHADOWED,
    SHED,
    SIGNALS,
    STARTED,
    STREAM_STARTED,
    UNQUEUED,
    ended,
    failed,
)

TARGET = {"provider": "openai", "model": "gpt-4o-mini"}
NO_LABELS: Mapping[str, str] = MappingProxyType({})
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Scrape:
    """What a scraper sees of `metrics`, and of parts that ask, whenever it looks."""

    def __init__(self, metrics: Metrics) -> None:
        lost = OnScrape(losses, {"logs": lambda: 7, "fanout": lambda: 0})
        keys = OnScrape(provider_keys, lambda: [("openai", KeyState.COOLING, 2)])
        views = [
            CircuitView("openai/gpt", CircuitState.CLOSED, forced=False, failures=1, calls=4, age_s=7.5, wait_s=0.0),
            CircuitView("openai/down", CircuitState.OPEN, forced=False, failures=0, calls=0, age_s=2.0, wait_s=1.0),
            CircuitView("openai/guess", CircuitState.CLOSED, forced=False, failures=0, calls=0, age_s=1.0, wait_s=0.0),
        ]
        circuits = OnScrape(circuit_standings, Admitted(), lambda: views)
        scores = OnScrape(reliabilities, Admitted(), lambda: [("openai/gpt", 0.9)])
        self._parts = (OnScrape(build, "1.2.3"), *metrics.parts, keys, circuits, scores, lost)

    def render(self, accept: str = "") -> tuple[str, bytes]:
        """Return content type and body."""
        return render(shown(self._parts), accept)

    def families(self) -> dict[str, Metric]:
        """Return what a scraper of the plain text format understands."""
        _, body = self.render()
        return {family.name: family for family in parse_text(body.decode())}

    def get_sample_value(self, name: str, labels: Mapping[str, str] = NO_LABELS) -> float | None:
        """Return the value of one sample; None if it is not there."""
        samples = (sample for family in self.families().values() for sample in family.samples)
        return next((found.value for found in samples if found.name == name and found.labels == labels), None)


def seen(signals: Iterable[Signal], *, label_sets_max: int = 500) -> Scrape:
    """Return what `signals` amount to."""
    metrics = Metrics(label_sets_max=label_sets_max)
    for signal in signals:
        metrics(signal)
    return Scrape(metrics)


def test_every_signal_is_counted_or_knowingly_not() -> None:
    """A new signal needs a part that counts it, or a word that none does."""
    counted = Metrics().counted()

    assert set(Signal.__subclasses__()) == counted | UNCOUNTED
    assert not counted & UNCOUNTED


def test_a_request_is_counted_by_provider_model_and_status() -> None:
    """The label `model` is the target's model, whatever the client called it."""
    registry = seen([STARTED, ENDED, STARTED, ENDED, STARTED, failed("target_busy", "overloaded", 503)])

    assert 2 == registry.get_sample_value("wizard_requests_total", {**TARGET, "status": "200"})
    assert 1 == registry.get_sample_value("wizard_requests_total", {**TARGET, "status": "503"})


def test_targets_are_shown_as_they_stand() -> None:
    """Time in the state, failures of the calls in the window, and the score; nothing of a target without a call."""
    registry = seen([])

    states = registry.families()["wizard_circuit_in_state_seconds"].samples
    assert [("gpt", "closed", 7.5), ("down", "open", 2.0)] == [
        (sample.labels["model"], sample.labels["state"], sample.value) for sample in states
    ]
    ratios = registry.families()["wizard_circuit_failure_ratio"].samples
    assert [("gpt", 0.25)] == [(sample.labels["model"], sample.value) for sample in ratios]
    assert 0.9 == registry.get_sample_value("wizard_target_reliability", TARGET | {"model": "gpt"})


def test_no_more_targets_are_shown_than_there_is_room_for() -> None:
    """Made-up names do not become series without end, and those that came first stay."""
    found: list[tuple[str, float]] = [("acme/a", 0.1), ("acme/b\n", 0.2), ("acme/c", 0.3), ("acme/d", 0.4)]
    part = OnScrape(reliabilities, Admitted(2), lambda: found)
    list(part.families())
    found.insert(0, ("acme/new", 0.5))

    (family,) = part.families()

    assert isinstance(family, GaugeFamily)
    assert [(("acme", "a"), 0.1), (("acme", "c"), 0.3)] == family.rows


def test_keys_are_counted_by_state() -> None:
    """The keys of a provider are asked for when somebody looks, since they return without a signal."""
    registry = seen([])

    assert 2 == registry.get_sample_value("wizard_provider_keys", {"provider": "openai", "state": "cooling"})


def test_a_client_that_left_is_a_499() -> None:
    """An abandoned call is told apart from success and failure."""
    registry = seen([STARTED, ended(outcome="abandoned")])

    assert 1 == registry.get_sample_value("wizard_requests_total", {**TARGET, "status": "499"})
    assert registry.get_sample_value("wizard_requests_total", {**TARGET, "status": "200"}) is None


def test_a_call_that_reached_no_target_has_labels_none() -> None:
    """A refusal before any provider is counted too."""
    registry = seen([STARTED, failed("unknown_model", "validation", 404, provider="", target_model=""), REFUSED])

    labels = {"provider": "none", "model": "none"}
    assert 1 == registry.get_sample_value("wizard_requests_total", {**labels, "status": "404"})
    assert 1 == registry.get_sample_value("wizard_requests_total", {**labels, "status": "400"})
    assert 1 == registry.get_sample_value("wizard_request_duration_seconds_count", labels)


def test_durations_and_overhead_are_in_seconds() -> None:
    """Every call that ends is timed."""
    registry = seen([STARTED, ended(duration_s=0.75, overhead_s=0.0004)])

    name = "wizard_request_duration_seconds"
    assert 0 == registry.get_sample_value(f"{name}_bucket", {**TARGET, "le": "0.5"})
    assert 1 == registry.get_sample_value(f"{name}_bucket", {**TARGET, "le": "1.0"})
    assert 1 == registry.get_sample_value(f"{name}_bucket", {**TARGET, "le": "+Inf"})
    assert 0.75 == registry.get_sample_value(f"{name}_sum", TARGET)
    assert 1 == registry.get_sample_value("wizard_overhead_seconds_bucket", {"le": "0.0005"})
    assert 0.0004 == registry.get_sample_value("wizard_overhead_seconds_sum")


def test_the_first_token_is_timed_when_the_stream_starts() -> None:
    """A stream shows up before it has ended."""
    registry = seen([STARTED, STREAM_STARTED])

    assert 0.25 == registry.get_sample_value("wizard_time_to_first_token_seconds_sum", TARGET)
    assert 1 == registry.get_sample_value("wizard_time_to_first_token_seconds_count", TARGET)


def test_tokens_are_summed_by_type() -> None:
    """Prompt and completion are apart; a call without known usage adds nothing."""
    registry = seen([ended(usage=Usage(12, 30, 42)), ended(usage=Usage(1, 2, 3)), ended(usage=None)])

    assert 13 == registry.get_sample_value("wizard_tokens_total", {**TARGET, "type": "prompt"})
    assert 32 == registry.get_sample_value("wizard_tokens_total", {**TARGET, "type": "completion"})


def test_answers_that_nobody_asked_a_provider_for_have_no_tokens_and_no_speed() -> None:
    """Stored and shared answers have those of the call that fetched them, which were counted then."""
    stored = ended(usage=Usage(12, 30, 42), attempts=0, cache="hit", tokens_per_s=1e6)

    registry = seen([ended(usage=Usage(1, 2, 3)), stored])

    assert 1 == registry.get_sample_value("wizard_tokens_total", {**TARGET, "type": "prompt"})
    assert 2 == registry.get_sample_value("wizard_tokens_total", {**TARGET, "type": "completion"})
    assert 0 == registry.get_sample_value("wizard_stream_tokens_per_second_count")
    assert 2 == registry.get_sample_value("wizard_requests_total", {**TARGET, "status": "200"})


def test_the_speed_of_streams_is_a_distribution() -> None:
    """Only streams whose speed is known are in it."""
    known = ended(tokens_per_s=60.0, first_token_s=0.2, longest_gap_s=0.3)

    registry = seen([known, ended(tokens_per_s=None, first_token_s=0.2)])

    assert 1 == registry.get_sample_value("wizard_stream_longest_gap_seconds_bucket", {"le": "0.5"})
    assert 1 == registry.get_sample_value("wizard_stream_tokens_per_second_count")
    assert 60 == registry.get_sample_value("wizard_stream_tokens_per_second_sum")


def test_retries_and_fallbacks_are_counted_by_cause() -> None:
    """Labels say what went wrong and where."""
    registry = seen([RETRY, RETRY, FELL_BACK])

    assert 2 == registry.get_sample_value(
        "wizard_retry_attempts_total", {"provider": "openai", "error_kind": "upstream"}
    )
    assert 1 == registry.get_sample_value(
        "wizard_fallbacks_total", {"from": "openai/gpt-4o-mini", "to": "box/small", "reason": "target_busy"}
    )


@pytest.mark.parametrize(
    ("changes", "level"), [((OPENED,), 2), ((OPENED, HALF_OPENED), 1), ((OPENED, HALF_OPENED, CLOSED), 0)]
)
def test_a_provider_is_as_bad_as_its_worst_circuit(changes: tuple[CircuitChanged, ...], level: int) -> None:
    """Circuits belong to targets, the metric to providers."""
    other = msgspec.structs.replace(HALF_OPENED, model="other")

    alone = seen(changes)
    together = seen((other, *changes))

    assert level == alone.get_sample_value("wizard_circuit_state", {"provider": "openai"})
    assert max(level, 1) == together.get_sample_value("wizard_circuit_state", {"provider": "openai"})


def test_a_provider_that_was_asked_has_a_state() -> None:
    """Dashboards and alerts see a closed circuit, not an absent one."""
    registry = seen([ATTEMPT])

    assert registry.get_sample_value("wizard_circuit_state", {"provider": ATTEMPT.provider}) == 0


def test_transitions_of_circuits_are_counted_where_they_were_decided() -> None:
    """What another replica decided changes the state here, and is counted there."""
    registry = seen([OPENED, OPENED, msgspec.structs.replace(HALF_OPENED, reason="elsewhere")])

    labels = {"provider": "openai", "from": "closed", "to": "open"}
    assert 2 == registry.get_sample_value("wizard_circuit_transitions_total", labels)
    labels = {"provider": "openai", "from": "open", "to": "half_open"}
    assert registry.get_sample_value("wizard_circuit_transitions_total", labels) is None
    assert 1 == registry.get_sample_value("wizard_circuit_state", {"provider": "openai"})


def test_lost_shared_state_is_a_gauge() -> None:
    """It is 1 from the loss to the return."""
    lost, back = seen([DEGRADED]), seen([DEGRADED, RESTORED])

    assert 1 == lost.get_sample_value("wizard_state_degraded")
    assert 0 == back.get_sample_value("wizard_state_degraded")


def test_hedges_are_counted_by_outcome() -> None:
    """A hedge counts once, when it is known what it was good for; outcomes that never were are zero."""
    registry = seen([HEDGE, HEDGE_ENDED, HEDGE])

    found = [registry.get_sample_value("wizard_hedges_total", {"outcome": word}) for word in ("won", "lost", "failed")]
    assert found == [1, 0, 0]


def test_answers_without_clients_are_counted_until_they_end() -> None:
    """Or until the client comes back; one that found no room counts at once."""
    replace = msgspec.structs.replace
    here, refused, late = replace(LEFT, request_id="2"), replace(LEFT, drained=False), replace(RESUMED, live=False)
    over = ended(outcome="abandoned", status=499, drained="completed")
    registry = seen([LEFT, LEFT, here, refused, replace(LEFT, request_id="3"), over, ENDED, RESUMED, late])

    found = [registry.get_sample_value("wizard_drained_total", {"outcome": word}) for word in ("completed", "refused")]
    resumed = [registry.get_sample_value("wizard_streams_resumed_total", {"state": word}) for word in ("live", "ended")]
    assert [1, 1] == found
    assert [1, 1] == resumed
    assert 2 == registry.get_sample_value("wizard_drained_active")


def test_an_answer_that_was_resumed_elsewhere_is_no_longer_read_on() -> None:
    """Another process tells of the reader who came back; here the call only ends, as one with a client."""
    registry = seen([LEFT, ended(outcome="completed", status=200, drained=None)])

    assert 0 == registry.get_sample_value("wizard_drained_active")


def test_attempts_are_counted_by_outcome() -> None:
    """Each try counts for its target, whatever became of the call; a model nobody has gets no series of its own."""
    failed_try = msgspec.structs.replace(ATTEMPT, outcome="failed", code="target_busy")
    guessed = msgspec.structs.replace(ATTEMPT, model="guessed", outcome="failed", code="target_model_missing")

    registry = seen([ATTEMPT, ATTEMPT, failed_try, guessed])

    assert 2 == registry.get_sample_value("wizard_attempts_total", {**TARGET, "outcome": "completed"})
    assert 1 == registry.get_sample_value("wizard_attempts_total", {**TARGET, "outcome": "failed"})
    other = {"provider": "openai", "model": "other", "outcome": "failed"}
    assert 1 == registry.get_sample_value("wizard_attempts_total", other)


def test_successes_are_counted_by_position() -> None:
    """Only completed calls count, and everything from the tenth target on is one series."""
    registry = seen([ended(position=0), ended(position=9), ended(position=23), ended(outcome="failed", position=3)])

    found = {n: registry.get_sample_value("wizard_success_position_total", {"position": str(n)}) for n in range(11)}

    assert {**dict.fromkeys(range(1, 9), 0), 0: 1, 9: 2, 10: None} == found


REASONS = ("queue_full", "pushed_out", "too_late")


def test_the_queue_is_counted_by_priority() -> None:
    """Who waits is a gauge, how long they did is a distribution, and refusals have a reason."""
    registry = seen([QUEUED, QUEUED, UNQUEUED, SHED, SHED])

    assert 1 == registry.get_sample_value("wizard_queue_depth", {"priority": "low"})
    assert 0 == registry.get_sample_value("wizard_queue_depth", {"priority": "high"})
    assert 1.5 == registry.get_sample_value("wizard_queue_wait_seconds_sum")
    refused = {
        reason: registry.get_sample_value("wizard_admission_refused_total", {"reason": reason}) for reason in REASONS
    }
    assert {"queue_full": 2, "pushed_out": 0, "too_late": 0} == refused


@pytest.mark.parametrize(("signals", "limit"), [((), None), ((LIMIT,), 50), ((LIMIT, RELOADED), None)])
def test_the_limit_is_shown_while_there_is_one(signals: tuple[Signal, ...], limit: float | None) -> None:
    """Before the first call, and after a reload that took the limit away, no number is made up."""
    assert limit == seen(signals).get_sample_value("wizard_admission_limit")


def test_limits_are_counted_by_their_names() -> None:
    """Those in shadow apart; beyond so many names, which keys choose, all others are one."""
    many = [msgspec.structs.replace(EXCEEDED, limit=f"key{number}") for number in range(NAMES_MAX + 5)]

    registry = seen([EXCEEDED, EXCEEDED, SHADOWED, *many])

    assert 2 == registry.get_sample_value("wizard_rate_limited_total", {"limit": "everyone"})
    assert 1 == registry.get_sample_value("wizard_rate_limited_shadow_total", {"limit": "everyone"})
    assert 6 == registry.get_sample_value("wizard_rate_limited_total", {"limit": "other"})


def test_what_is_going_on_goes_up_and_down() -> None:
    """Requests are active from start to end, streams from their first token to the end of the call."""
    metrics = Metrics()
    registry = Scrape(metrics)
    gauges = []

    for signal in (STARTED, STARTED, STREAM_STARTED, ENDED, ended(stream=True, first_token_s=0.25)):
        metrics(signal)
        gauges.append(
            (
                registry.get_sample_value("wizard_active_requests"),
                registry.get_sample_value("wizard_streams_active"),
            )
        )

    assert [(1, 0), (2, 0), (2, 1), (1, 1), (0, 0)] == gauges


def test_a_stream_that_failed_before_its_first_token_was_never_active() -> None:
    """A call that wanted a stream and got an error leaves the number of streams alone."""
    registry = seen([STARTED, STREAM_STARTED, STARTED, failed("target_busy", "overloaded", 503, stream=True)])

    assert 1 == registry.get_sample_value("wizard_streams_active")


def test_gauges_never_fall_below_zero() -> None:
    """Endings of calls whose beginning was not seen do no lasting harm."""
    registry = seen([ended(first_token_s=0.2), ended(first_token_s=0.2), STARTED, STREAM_STARTED])

    assert 1 == registry.get_sample_value("wizard_active_requests")
    assert 1 == registry.get_sample_value("wizard_streams_active")


def test_the_number_of_label_sets_is_bounded() -> None:
    """Beyond the limit a model is `other`; what was known before keeps its name, and nothing is lost."""
    signals = [ended(target_model=f"m{number}") for number in range(10)]

    registry = seen([*signals, *signals], label_sets_max=3)

    counts = {sample.labels["model"]: sample.value for sample in registry.families()["wizard_requests"].samples}
    assert {"m0": 2, "m1": 2, "m2": 2, "other": 14} == counts


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.text(max_size=3), max_size=40), st.integers(min_value=0, max_value=5))
def test_whatever_callers_ask_for_the_exposition_stays_readable_and_small(names: list[str], limit: int) -> None:
    """Any names at all: every request is counted, and the series stay within the limit (and `other`)."""
    registry = seen([ended(target_model=name) for name in names], label_sets_max=limit)

    samples = registry.families()["wizard_requests"].samples

    assert len(names) == sum(sample.value for sample in samples)
    assert len(samples) <= limit + 1


@pytest.mark.parametrize("model", ["m" * 201, "a\nb", "\ud800", "\x1b[2J"])
def test_a_name_that_is_no_label_is_other(model: str) -> None:
    """Endless and unprintable names get no series of their own."""
    registry = seen([ended(target_model=model)])

    assert 1 == registry.get_sample_value(
        "wizard_requests_total", {"provider": "openai", "model": "other", "status": "200"}
    )


def test_guessing_model_names_uses_up_no_labels() -> None:
    """A model that the provider does not have is `other`, unless it was there before."""
    guesses = [failed("target_model_missing", "configuration", 404, target_model=f"guess{n}") for n in range(5)]
    gone = failed("target_model_missing", "configuration", 404)

    registry = seen([ENDED, *guesses, gone], label_sets_max=2)

    other = {"provider": "openai", "model": "other"}
    assert 5 == registry.get_sample_value("wizard_requests_total", {**other, "status": "404"})
    assert 1 == registry.get_sample_value("wizard_requests_total", {**TARGET, "status": "404"})


def test_the_number_of_fallback_labels_is_bounded() -> None:
    """Fallbacks beyond the limit are counted under their reason."""
    signals = [type(FELL_BACK)("req_1", f"openai/m{number}", "box/small", "target_busy") for number in range(4)]

    registry = seen([*signals, *signals], label_sets_max=2)

    kept = {"from": "openai/m1", "to": "box/small", "reason": "target_busy"}
    other = {"from": "other", "to": "other", "reason": "target_busy"}
    assert 2 == registry.get_sample_value("wizard_fallbacks_total", kept)
    assert 4 == registry.get_sample_value("wizard_fallbacks_total", other)


def test_the_gateway_names_its_version_and_its_own_losses() -> None:
    """Telemetry that lost something says so."""
    registry = seen([])

    assert 1 == registry.get_sample_value("wizard_build_info", {"version": "1.2.3"})
    assert 7 == registry.get_sample_value("wizard_telemetry_errors_total", {"part": "logs"})
    assert 0 == registry.get_sample_value("wizard_telemetry_errors_total", {"part": "fanout"})


TYPES = {
    "wizard_build_info": "gauge",
    "wizard_workers": "gauge",
    "wizard_requests": "counter",
    "wizard_request_duration_seconds": "histogram",
    "wizard_time_to_first_token_seconds": "histogram",
    "wizard_tokens": "counter",
    "wizard_overhead_seconds": "histogram",
    "wizard_success_position": "counter",
    "wizard_active_requests": "gauge",
    "wizard_streams_active": "gauge",
    "wizard_stream_tokens_per_second": "histogram",
    "wizard_stream_longest_gap_seconds": "histogram",
    "wizard_stream_events_dropped": "counter",
    "wizard_attempts": "counter",
    "wizard_retry_attempts": "counter",
    "wizard_fallbacks": "counter",
    "wizard_hedges": "counter",
    "wizard_stream_recoveries": "counter",
    "wizard_circuit_state": "gauge",
    "wizard_circuit_transitions": "counter",
    "wizard_state_degraded": "gauge",
    "wizard_queue_depth": "gauge",
    "wizard_queue_wait_seconds": "histogram",
    "wizard_admission_limit": "gauge",
    "wizard_admission_refused": "counter",
    "wizard_auth_refused": "counter",
    "wizard_key_changes": "counter",
    "wizard_token_keys": "gauge",
    "wizard_token_key_fetches_failed": "counter",
    "wizard_session_turns": "counter",
    "wizard_session_turns_trimmed": "counter",
    "wizard_session_turns_lost": "counter",
    "wizard_idempotent_replays": "counter",
    "wizard_drained_active": "gauge",
    "wizard_drained": "counter",
    "wizard_streams_resumed": "counter",
    "wizard_rate_limited": "counter",
    "wizard_rate_limited_shadow": "counter",
    "wizard_provider_limit_near": "counter",
    "wizard_redactions": "counter",
    "wizard_guard_complaints": "counter",
    "wizard_config_reloads": "counter",
    "wizard_config_rejected": "gauge",
    "wizard_draining": "gauge",
    "wizard_cost_usd": "counter",
    "wizard_unpriced_attempts": "counter",
    "wizard_estimated_attempts": "counter",
    "wizard_budget_reached": "counter",
    "wizard_budget_refused": "counter",
    "wizard_provider_keys": "gauge",
    "wizard_circuit_in_state_seconds": "gauge",
    "wizard_circuit_failure_ratio": "gauge",
    "wizard_target_reliability": "gauge",
    "wizard_telemetry_errors": "counter",
}


@pytest.mark.parametrize("signals", [(), SIGNALS], ids=["idle", "busy"])
def test_the_text_format_has_the_promised_types(signals: tuple[Signal, ...]) -> None:
    """A scraper finds each metric once, with its type, even before anything happened."""
    content_type, body = seen(signals).render()

    found = [(family.name, family.type) for family in parse_text(body.decode())]

    assert content_type.startswith("text/plain; version=0.0.4")
    assert sorted(TYPES.items()) == sorted(found)
    assert b"_total_total" not in body


def test_openmetrics_is_spoken_to_those_who_ask() -> None:
    """The same metrics, in the format that the scraper prefers."""
    content_type, body = seen(SIGNALS).render(OPENMETRICS)

    parsed = parse_openmetrics(body.decode())  # type: ignore[no-untyped-call] # the library's own omission
    found = {family.name: family.type for family in parsed}

    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    assert TYPES == found


def test_durations_name_an_example() -> None:
    """To those who speak OpenMetrics a bucket tells the last call in it: its trace, or else its request."""
    signals = [
        ended(request_id="req_1", duration_s=0.7),
        ended(request_id="req_2", duration_s=0.8),
        ended(request_id="req_3", duration_s=7.0, trace_id="0af7651916cd43dd8448eb211c80319c"),
        ended(request_id="r" * 128, duration_s=70.0),
    ]

    _, body = seen(signals).render(OPENMETRICS)

    name = 'wizard_request_duration_seconds_bucket{le="%s",model="gpt-4o-mini",provider="openai"}'
    text = body.decode()
    assert name % "1.0" + ' 2.0 # {request_id="req_2"} 0.8\n' in text
    assert name % "10.0" + ' 3.0 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 7.0\n' in text
    assert name % "90.0" + " 4.0\n" in text  # an id that is too long for the format is no example


def test_histograms_are_complete() -> None:
    """Each has a bucket for everything, which equals its count, and a sum."""
    found = seen([*SIGNALS, ended(tokens_per_s=5.0, longest_gap_s=1.0)]).families()

    for family in found.values():
        if family.type == "histogram":
            values = {
                (sample.name.removeprefix(family.name), sample.labels.get("le", "")): sample.value
                for sample in family.samples
            }
            assert values["_bucket", "+Inf"] == values["_count", ""] > 0
            assert math.isfinite(values["_sum", ""])
