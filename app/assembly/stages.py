"""
The order of the stages: declared here and nowhere else.

Configuration decides only which stages exist and their numbers, not their order, because another order would be another
product. Each feature turns its settings into its stages in a file of its own.
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
    """Return the stages that run once per client call, outermost first."""
    return [
        *trace.call(),  # outside of the record, which contains the trace id
        Record(deps.listener, deps.clock),  # outermost: sees every outcome, also refusals
        TotalTimeout(),  # bounds all below, pauses between tries included
        *authorize(settings, deps),  # the edge has authenticated the caller; this checks what its key allows
        validate(settings),  # cheap refusals before any shared state is touched
        *decision_trace(settings, deps),  # inside all stages that identify the caller
        KeepTurn(),  # outside of the guards: an answer that they refuse, or retry, is no turn
        *guards(settings, deps),  # outside of the redaction: they check the texts that the caller sends and gets
        *redact(settings, deps),  # before everything that stores, counts or sends the texts of a call
        *idempotency(settings, deps),  # everything below sees repeated calls as one
        sessions(settings, deps),  # everything below sees the whole conversation, as read when the call begins
        *system_prompt(settings),  # before the whole conversation; inside of the sessions, which callers can read
        *mark_prompt(settings, deps),  # the last to change a prompt: nothing below inspects marked text or shows marks
        *reserve_budget(settings, deps, first),  # around the limits, to share their round trip
        # before the cache: it protects the gateway, not only providers
        *trace.entry("wizard.rate_limit.acquire", rate_limit(settings, deps)),
        # a hit skips everything below; of calls that share an answer, only one goes on
        *trace.entry("wizard.cache.lookup", cache(settings, deps)),
        # after all stages that may refuse or answer, so that only calls that need a provider take a slot
        *trace.entry("wizard.admission.acquire", admission(settings, deps)),
    ]


def attempt_stages(settings: Settings, deps: Deps, trace: Composing = UNTRACED) -> list[Stage[Attempt]]:
    """Return the stages that run for one target, outermost first."""
    return [
        *trace.target(),
        count_tokens(settings),  # outermost: an estimate needs no healthy target
        retry(settings, deps),
        *_each_try(settings, deps, trace),
        attempt_timeout(settings),  # innermost: each try has its own timeout
    ]


def _each_try(settings: Settings, deps: Deps, trace: Composing) -> list[Stage[Attempt]]:
    return [
        *trace.attempt(),  # inside the retry: each try has a span of its own
        *health(settings, deps),  # before the circuits: no circuit needs to discover by itself that a provider is down
        *circuit_breaker(settings, deps),  # inside the retry: each try counts alone, and none reaches a resting target
        *bulkhead(settings, deps),  # refuses at once, before the try's timeout starts; a refused try takes no slot
        *provider_quota(settings, deps),  # before our own limits: what the provider would refuse uses none of them
        *target_limit(settings, deps),  # after both, so that a try that is not made uses nothing of its target's limit
        spend(settings, deps),  # around everything that a provider may charge for, inside all stages that refuse
        Measure(deps.traffic.loads, deps.clock, deps.listener),  # measures only what is actually sent to a target
    ]


def passing_call_stages(
    settings: Settings, deps: Deps, trace: Composing = UNTRACED, first: FirstTargets = _unforeseen
) -> list[Stage[Call]]:
    """Return the stages of a call that is passed on unchanged: none that would have to read its body."""
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
    """Return the stages for its only target: a single try, bounded by the call's own timeout."""
    return [*trace.target(), *_each_try(settings, deps, trace)]
