"""
The order of the stages: declared here and nowhere else.

It is code, read from top to bottom; only membership and numbers are configuration, because a different order would be
a different product. Each feature turns its settings into its stages in a file of its own.
"""

from __future__ import annotations

from app.assembly.attempts import attempt_timeout, bulkhead, count_tokens, retry
from app.assembly.caching import cache
from app.assembly.calls import admission, system_prompt, validate
from app.assembly.circuits import circuit_breaker
from app.assembly.deps import Deps
from app.assembly.guards import guards, mark_prompt
from app.assembly.health import health
from app.assembly.idempotency import idempotency
from app.assembly.identity import authorize
from app.assembly.limits import provider_quota, rate_limit, target_limit
from app.assembly.redaction import redact
from app.assembly.request_log import decision_trace
from app.assembly.sessions import sessions
from app.assembly.spending import reserve_budget, spend
from app.assembly.tracing import UNTRACED, Composing
from app.config.schema import Settings
from app.core.call import Attempt, Call, Target
from app.core.pipeline import Stage
from app.stages.keep_turn import KeepTurn
from app.stages.measure import Measure
from app.stages.record import Record
from app.stages.reserve_budget import FirstTargets
from app.stages.timeouts import TotalTimeout


def _unforeseen(_call: Call) -> tuple[Target, ...]:
    return ()


def call_stages(
    settings: Settings, deps: Deps, trace: Composing = UNTRACED, first: FirstTargets = _unforeseen
) -> list[Stage[Call]]:
    """Return what happens once per client call, outermost first."""
    return [
        *trace.call(),  # outside of the record, which names the trace
        Record(deps.listener, deps.clock),  # outermost: sees every ending, also refusals
        TotalTimeout(),  # bounds all below, pauses between tries included
        *authorize(settings, deps),  # who calls was found out before the body was read; this is what the key allows
        validate(settings),  # cheap refusals before any shared state is touched
        *decision_trace(settings, deps),  # inside all that finds out who calls
        KeepTurn(),  # outside of the guards: a turn that they refuse, or ask for again, is none
        *guards(settings, deps),  # outside of the redaction: they judge what the caller says and is told
        *redact(settings, deps),  # before everything that keeps, counts or sends what a call says
        *idempotency(settings, deps),  # everything below sees calls that repeat each other as one
        sessions(settings, deps),  # what was said before counts for everything below; read when the call begins
        *system_prompt(settings),  # around the whole conversation; inside of the sessions, which are shown to callers
        *mark_prompt(
            settings, deps
        ),  # the last to change a prompt: nothing below reads what was marked, or shows the marks
        *reserve_budget(settings, deps, first),  # around the limits, to share their round trip
        # before the cache: it protects us, not only them
        *trace.entry("wizard.rate_limit.acquire", rate_limit(settings, deps)),
        # a hit skips everything below, and of calls that share an answer only one goes on
        *trace.entry("wizard.cache.lookup", cache(settings, deps)),
        # after all that may refuse or answer, so that only real work needs a place
        *trace.entry("wizard.admission.acquire", admission(settings, deps)),
    ]


def attempt_stages(settings: Settings, deps: Deps, trace: Composing = UNTRACED) -> list[Stage[Attempt]]:
    """Return what happens for one target, outermost first."""
    return [
        *trace.target(),
        count_tokens(settings),  # outermost: an estimate needs no target that is well
        retry(settings, deps),
        *_each_try(settings, deps, trace),
        attempt_timeout(settings),  # innermost: each try has its own time
    ]


def _each_try(settings: Settings, deps: Deps, trace: Composing) -> list[Stage[Attempt]]:
    return [
        *trace.attempt(),  # inside the retry: each try has a span of its own
        *health(settings, deps),  # before the circuits: of a provider that is down, none needs to find out by itself
        *circuit_breaker(settings, deps),  # inside the retry: each try is judged alone, and none wakes a resting target
        *bulkhead(settings, deps),  # refuses at once, before the time of the try begins; a refused try takes no place
        *provider_quota(settings, deps),  # before our own: what the provider would refuse costs none of them
        *target_limit(settings, deps),  # after both, so that a try that is not made costs its target nothing
        spend(settings, deps),  # around all that a provider may charge for, inside all that refuses without asking it
        Measure(deps.traffic.loads, deps.clock, deps.listener),  # sees only what really goes to a target
    ]


def passing_call_stages(
    settings: Settings, deps: Deps, trace: Composing = UNTRACED, first: FirstTargets = _unforeseen
) -> list[Stage[Call]]:
    """Return what happens once per call that is passed on as it is: nothing that would have to read it."""
    return [
        *trace.call(),
        Record(deps.listener, deps.clock),
        TotalTimeout(),
        *authorize(settings, deps),
        *decision_trace(settings, deps),
        *reserve_budget(settings, deps, first),
        *trace.entry("wizard.rate_limit.acquire", rate_limit(settings, deps)),
        *trace.entry("wizard.admission.acquire", admission(settings, deps)),
    ]


def passing_attempt_stages(settings: Settings, deps: Deps, trace: Composing = UNTRACED) -> list[Stage[Attempt]]:
    """Return what happens for its one target: a single try, whose time is that of the call."""
    return [*trace.target(), *_each_try(settings, deps, trace)]
