"""
The router: determine the targets of a call, in order, from the steps of its route, capabilities and strategies.

A step (a route or one of its fallbacks) is ordered only when the call reaches it, so that a fallback's strategy sees
current traffic, and round robin advances only for calls that use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NoReturn, Protocol, TypeAlias

import msgspec

from app.core.call import Call, Target
from app.core.errors import CONTEXT_TOO_LONG, UNSUPPORTED_FEATURE, GatewayError
from app.core.routing.balancing import Sequential, Strategy
from app.core.routing.candidates import Candidate, Needs, lacking, needs_of
from app.core.routing.table import Group, RoutingTable
from app.core.routing.wildcards import STAR, filled

_SHOWN_MAX = 5
_STARRED_MAX = 1024
_PARAMS: Mapping[str, str] = {"tools": "tools", "json_schema": "response_format"}  # others are in the messages


class Targets(Protocol):
    """The targets of one call, indexed from 0."""

    def __len__(self) -> int:
        """Return how many may be tried."""

    def __getitem__(self, position: int, /) -> Target:
        """Return one of them."""


class Policy(msgspec.Struct, frozen=True):
    """The strategy of a route, and the configuration of its targets."""

    strategy: Strategy
    candidates: tuple[Candidate, ...]


class Preview(msgspec.Struct, frozen=True):
    """
    One step of the routing of a call, without running it.

    `route` is None for a direct name, `targets` are in the order in which they would be tried, and `passed_by` are
    those that cannot serve the request, with the features they lack.
    """

    route: str | None
    targets: tuple[Target, ...]
    passed_by: tuple[tuple[Target, tuple[str, ...]], ...]


class _Step(msgspec.Struct, frozen=True):
    strategy: Strategy | None  # None: as configured
    candidates: tuple[Candidate, ...]


_Steps: TypeAlias = tuple[_Step, ...]


class _Plan(msgspec.Struct, frozen=True):
    """A route's steps; `selective`: some target has limits; `fixed`: all targets, if they never depend on the call."""

    steps: _Steps
    selective: bool
    fixed: tuple[Target, ...] | None


class Router:
    """
    Finds the targets of each call.

    Args:
        routing: The routes and providers.

        policies: By route name; the targets of a route without one are tried in the configured order.
    """

    def __init__(self, routing: RoutingTable, policies: Mapping[str, Policy]) -> None:
        self._routing = routing
        self._policies = policies
        self._plans = {name: _planned(routing.groups(name), policies) for name in policies if STAR not in name}
        self._starred = lru_cache(_STARRED_MAX)(self._star)  # bounded, since names come from clients

    def __call__(self, call: Call) -> Targets:
        """
        Return the targets of a call, at least one.

        Raises:
            GatewayError: UNKNOWN_MODEL; UNSUPPORTED_FEATURE or CONTEXT_TOO_LONG if no target can serve the request.
        """
        fallback, plan = call.options.fallback, self._plan(call.request.model)
        if plan is None:
            return self._routing.targets(call.request.model, fallback=fallback)
        if plan.fixed is not None:
            return plan.fixed if fallback else plan.fixed[:1]
        steps = _able(plan.steps, call) if plan.selective else plan.steps
        return _Itinerary(steps, call, sum([len(step.candidates) for step in steps]) if fallback else 1)

    def first(self, call: Call) -> Sequence[Target]:
        """Return the targets that the call may try first, without running a strategy (round robin does not advance)."""
        plan = self._plan(call.request.model)
        if plan is None:
            return self._routing.targets(call.request.model, fallback=False)
        if plan.fixed is not None:
            return plan.fixed[:1]
        step = (_able(plan.steps, call) if plan.selective else plan.steps)[0]
        candidates = step.candidates[:1] if step.strategy is None else step.candidates
        return tuple([candidate.target for candidate in candidates])

    def _plan(self, name: str) -> _Plan | None:
        """Return the plan of a route; None if the name is that of a target, or unknown."""
        return self._plans.get(name) or self._starred(name)

    def _star(self, name: str) -> _Plan | None:
        """Return the plan of the wildcard route that matches a name, if there is one."""
        return _planned(self._routing.groups(name), self._policies) if self._routing.matched(name) else None

    def preview(self, call: Call) -> tuple[Preview, ...]:
        """Return the routing of a call step by step; runs the strategies, as a call does."""
        self(call)
        name = call.request.model
        groups, needs = self._routing.groups(name), needs_of(call)
        plan = self._plans.get(name)
        steps = _planned(groups, {}).steps if plan is None else plan.steps
        found = tuple([_previewed(group.route, step, call, needs) for group, step in zip(groups, steps, strict=True)])
        return found if call.options.fallback else _first(found)


class _Itinerary:
    """The targets of one call; each step is ordered when its first target is requested."""

    def __init__(self, steps: _Steps, call: Call, length: int) -> None:
        self._waiting = iter(steps)
        self._call = call
        self._length = length
        self._known: list[Target] = []

    def __len__(self) -> int:
        """Return how many targets may be tried."""
        return self._length

    def __getitem__(self, position: int, /) -> Target:
        """Return the target at a position, in any order of access."""
        while len(self._known) <= position < self._length:
            step = next(self._waiting)
            ordered: Sequence[Candidate] = step.candidates
            if step.strategy is not None:
                ordered = step.strategy.order(ordered, self._call)
            self._known += [candidate.target for candidate in ordered]
        return self._known[: self._length][position]


def _planned(groups: tuple[Group, ...], policies: Mapping[str, Policy]) -> _Plan:
    steps = tuple([_step(group, policies) for group in groups])
    selective = any(not candidate.serves_all for step in steps for candidate in step.candidates)
    fixed = not selective and all(step.strategy is None for step in steps)
    targets = tuple([candidate.target for step in steps for candidate in step.candidates])
    return _Plan(steps, selective, targets if fixed else None)


def _step(group: Group, policies: Mapping[str, Policy]) -> _Step:
    policy = policies.get(group.route) if group.route is not None else None
    if policy is None:
        return _Step(None, tuple([Candidate(target) for target in group.targets]))
    known = {
        Target(each.target.provider, filled(each.target.model, group.star)): each
        for each in reversed(policy.candidates)  # the first counts
    }
    candidates = tuple([msgspec.structs.replace(known[target], target=target) for target in group.targets])
    free = len(candidates) > 1 and not isinstance(policy.strategy, Sequential)
    return _Step(policy.strategy if free else None, candidates)


def _previewed(route: str | None, step: _Step, call: Call, needs: Needs) -> Preview:
    lacks = {candidate: lacking(candidate, needs) for candidate in step.candidates}
    able: Sequence[Candidate] = tuple([candidate for candidate, lack in lacks.items() if not lack])
    if step.strategy is not None and able:
        able = step.strategy.order(able, call)
    passed_by = tuple([(candidate.target, lack) for candidate, lack in lacks.items() if lack])
    return Preview(route, tuple([candidate.target for candidate in able]), passed_by)


def _first(steps: tuple[Preview, ...]) -> tuple[Preview, ...]:
    """Return only the first target, for a call that may not fall back."""
    step = next(step for step in steps if step.targets)
    return (msgspec.structs.replace(step, targets=step.targets[:1]),)


def _able(steps: _Steps, call: Call) -> _Steps:
    """Remove the targets that cannot serve the request, and steps without any; raise if none is left."""
    needs = needs_of(call)
    kept = []
    for step in steps:
        able = tuple([candidate for candidate in step.candidates if not lacking(candidate, needs)])
        if able:
            kept.append(_Step(step.strategy, able))
    if not kept:
        _refuse(steps, needs, call.request.model)
    return tuple(kept)


def _refuse(steps: _Steps, needs: Needs, model: str) -> NoReturn:
    """Raise an error that lists what each target lacks: CONTEXT_TOO_LONG if one lacks nothing but context."""
    lacks = {candidate: lacking(candidate, needs) for step in steps for candidate in step.candidates}
    shown = [_words(candidate, lack, needs) for candidate, lack in lacks.items()][:_SHOWN_MAX]
    more = f", and {len(lacks) - len(shown)} more" if len(lacks) > len(shown) else ""
    message = f"No target of {model!r} can serve this request: {'; '.join(shown)}{more}."
    if ("context",) in lacks.values():
        raise GatewayError(CONTEXT_TOO_LONG, message, param="messages")
    params = {_PARAMS.get(feature, "messages") for lack in lacks.values() for feature in lack}
    raise GatewayError(UNSUPPORTED_FEATURE, message, param=params.pop() if len(params) == 1 else None)


def _words(candidate: Candidate, lack: tuple[str, ...], needs: Needs) -> str:
    features = [feature for feature in lack if feature != "context"]
    said = [f"has no {' and no '.join(features)}"] if features else []
    if "context" in lack:
        said.append(f"takes {candidate.context_window} tokens of about {needs.tokens}")
    return f"{candidate.target.name} {' and '.join(said)}"
