"""The table of metrics that are one number per signal. Everything more complex is a part of its own."""

from __future__ import annotations

from app.core.signals import (
    BudgetExceeded,
    BudgetReached,
    CallForbidden,
    CallRepeated,
    CallShed,
    ConfigRejected,
    ConfigReloaded,
    CredentialRefused,
    DrainStarted,
    FellBack,
    GuardComplained,
    HedgeEnded,
    KeyChanged,
    LimitExceeded,
    ProviderLimitNear,
    Redacted,
    RetryScheduled,
    SessionTurnKept,
    SessionTurnLost,
    StateDegraded,
    StreamNotRecovered,
    StreamRecovered,
    StreamResumed,
    StreamTrimmed,
    TokenKeysChanged,
)
from app.telemetry.metrics.counter import Counter, Level
from app.telemetry.metrics.part import Part

NAMES_MAX = 200  # keys have limits with names of their own


def plain_parts(label_sets_max: int) -> tuple[Part, ...]:
    """Return the parts; of fallbacks only `label_sets_max` get series of their own."""
    return (*_attempts(label_sets_max), *_streams(), *_limits(), *_identity(), *_content(), *_process())


def _attempts(label_sets_max: int) -> tuple[Part, ...]:
    return (
        Counter(
            "wizard_retry_attempts",
            "Further tries at the same target, by the kind of error that caused them.",
            ("provider", "error_kind"),
        ).add(RetryScheduled, lambda signal: (signal.provider, signal.category)),
        Counter(
            "wizard_fallbacks",
            "Targets given up for the next one, by the code of the error.",
            ("from", "to", "reason"),
        )
        .bounded(label_sets_max, 2)
        .add(FellBack, lambda signal: (signal.origin, signal.onward, signal.code)),
        Counter(
            "wizard_hedges",
            "Second targets asked while the first was silent: won (it answered), lost (the first did), failed, "
            "abandoned.",
            ("outcome",),
        )
        .showing("won", "lost", "failed", "abandoned")
        .add(HedgeEnded, lambda signal: (signal.outcome,)),
        Counter(
            "wizard_provider_limit_near",
            "Times that a followed provider said that less than a tenth of its own limit is left.",
            ("provider", "measure"),
        ).add(ProviderLimitNear, lambda signal: (signal.provider, signal.measure)),
    )


def _streams() -> tuple[Part, ...]:
    return (
        Counter(
            "wizard_stream_events_dropped",
            "Pieces of text that slow clients did not get, as streaming.overflow allows.",
        ).add(StreamTrimmed, number=lambda signal: signal.events),
        Counter(
            "wizard_stream_recoveries",
            "Streams of recovering routes that broke off: resumed (another target went on), unfit (more than text was "
            "shown), spent (too often), unable (no target can go on), failed (those that can did not).",
            ("outcome",),
        )
        .showing("resumed", "unfit", "spent", "unable", "failed")
        .add(StreamRecovered, lambda _signal: ("resumed",))
        .add(StreamNotRecovered, lambda signal: (signal.reason,)),
        Counter(
            "wizard_streams_resumed",
            "Streams that clients went on with, by whether they were still under way.",
            ("state",),
        )
        .showing("live", "ended")
        .add(StreamResumed, lambda signal: ("live" if signal.live else "ended",)),
        Counter(
            "wizard_idempotent_replays", "Calls that got the answer of an earlier call with the same idempotency key."
        ).add(CallRepeated),
    )


def _limits() -> tuple[Part, ...]:
    return (
        Counter(
            "wizard_admission_refused",
            "Calls for which there was no room: queue_full, pushed_out, too_late.",
            ("reason",),
        )
        .showing("queue_full", "pushed_out", "too_late")
        .add(CallShed, lambda signal: (signal.reason,)),
        Counter(
            "wizard_rate_limited",
            "Calls (and attempts, for limits per model or provider) that a rate limit refused.",
            ("limit",),
        )
        .bounded(NAMES_MAX)
        .add(LimitExceeded, lambda signal: (signal.limit,), lambda signal: not signal.shadow),
        Counter(
            "wizard_rate_limited_shadow",
            "Calls that a rate limit would have refused if it were not in shadow.",
            ("limit",),
        )
        .bounded(NAMES_MAX)
        .add(LimitExceeded, lambda signal: (signal.limit,), lambda signal: signal.shadow),
        Counter("wizard_budget_refused", "Calls and attempts that a budget left no room for.", ("budget",))
        .bounded(NAMES_MAX)
        .add(BudgetExceeded, lambda signal: (signal.budget,)),
        Counter("wizard_budget_reached", "Shares of budgets that spending reached.", ("budget", "share")).add(
            BudgetReached, lambda signal: (signal.budget, f"{signal.share:g}")
        ),
    )


def _identity() -> tuple[Part, ...]:
    return (
        Counter(
            "wizard_auth_refused",
            "Callers refused: missing, unknown, revoked or expired keys, and models that a key does not allow.",
            ("reason",),
        )
        .add(CredentialRefused, lambda signal: (signal.reason,))
        .add(CallForbidden, lambda _signal: ("forbidden",)),
        Counter(
            "wizard_key_changes", "Virtual keys created, revoked and rotated through this process.", ("action",)
        ).add(KeyChanged, lambda signal: (signal.action,)),
        Level("wizard_token_keys", "Published keys by which signed tokens are checked.").set(
            TokenKeysChanged, lambda signal: signal.keys
        ),
        Counter("wizard_token_key_fetches_failed", "Fetches of an issuer's published keys that failed.").add(
            TokenKeysChanged, number=lambda signal: signal.reason != ""
        ),
    )


def _content() -> tuple[Part, ...]:
    return (
        Counter(
            "wizard_redactions",
            "Things found in prompts and answers that the redaction looks for, whatever became of them.",
            ("detector",),
        ).add(Redacted, lambda signal: (signal.detector,), lambda signal: signal.count),
        Counter(
            "wizard_guard_complaints",
            "Prompts and answers that a guard complained of: observe, flag, block, retry.",
            ("guard", "side", "action"),
        ).add(GuardComplained, lambda signal: (signal.guard, signal.side, signal.action)),
        Counter("wizard_session_turns", "Turns added to sessions.").add(SessionTurnKept),
        Counter("wizard_session_turns_trimmed", "Turns with which not all of the past was sent.").add(
            SessionTurnKept, number=lambda signal: signal.trimmed > 0
        ),
        Counter("wizard_session_turns_lost", "Answers that could not be added to their session.", ("reason",)).add(
            SessionTurnLost, lambda signal: (signal.code,)
        ),
    )


def _process() -> tuple[Part, ...]:
    return (
        Counter(
            "wizard_config_reloads",
            "Readings of the configuration after the first: used, or rejected because something is wrong with it.",
            ("outcome",),
        )
        .showing("used", "rejected")
        .add(ConfigReloaded, lambda _signal: ("used",))
        .add(ConfigRejected, lambda _signal: ("rejected",)),
        Level("wizard_config_rejected", "1 while the configuration on disk is bad and the one before it is in use.")
        .set(ConfigReloaded, lambda _signal: 0)
        .set(ConfigRejected, lambda _signal: 1),
        Level("wizard_state_degraded", "1 while shared state is out of reach.").set(
            StateDegraded, lambda signal: int(signal.degraded)
        ),
        Level("wizard_draining", "1 while the process ends and waits for open calls.").set(
            DrainStarted, lambda _signal: 1
        ),
    )
