"""
Circuits in Redis: the decisions of `Circuit` as scripts, so that all replicas share them.

The keys share one hash tag, and with it one slot of a cluster: a circuit and the list of all circuits change together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, TypeAlias

from app.core.circuits import CircuitPolicy, CircuitState, Force
from app.state.circuits.circuit import LEAST_OPEN_MAX_S, Finding, Reading
from app.state.link import Argument, Submit, decision, text_of

CIRCUITS_KEPT = 4096
# How long a probe keeps its place without a word of its replica, which has one with each look at the circuits: one that
# dies, or could not say how its probe ended, blocks nobody for long.
LEASE_MAX_S = 5.0

Probe: TypeAlias = tuple[str, int, str]  # name of the target, generation, slot


class RedisCircuits:
    """The decisions about any number of circuits."""

    def __init__(self, submit: Submit, prefix: str) -> None:
        self._submit = submit
        self._prefix = prefix
        self._states = f"{{{prefix}:circuits}}:states"
        self._window = f"{{{prefix}:circuits}}:window:"
        self._beat = f"{{{prefix}:circuits}}:beat"

    def over(self, submit: Submit) -> RedisCircuits:
        """Return the same commands over another submit function."""
        return RedisCircuits(submit, self._prefix)

    async def admit(self, target: str, policy: CircuitPolicy) -> Reading:
        """Admit or refuse a call of `target` (see `Reading.slot`)."""
        lease_ms = round(min(policy.probe_lease_s, LEASE_MAX_S) * 1000)
        return reading_of(await self._about("circuit_admit", target, policy.half_open_max_calls, lease_ms))

    async def report(self, target: str, policy: CircuitPolicy, finding: Finding) -> Reading:
        """Count outcomes."""
        return reading_of(await self.reporting(target, policy, finding))

    def reporting(self, target: str, policy: CircuitPolicy, finding: Finding) -> asyncio.Future[Any]:
        """Count outcomes without waiting; `reading_of` decodes the future's answer."""
        return self._about(
            "circuit_report",
            target,
            finding.generation,
            finding.slot,
            finding.completed,
            finding.failed,
            round(min(finding.least_open_s, LEAST_OPEN_MAX_S) * 1000),
            repr(finding.shrink),
            policy.failure_threshold,
            repr(policy.failure_ratio),
            round(policy.open_s * 1000),
            round(policy.open_max_s * 1000),
            policy.bucket_ms,
        )

    async def force(self, target: str, action: Force) -> Reading:
        """Apply an operator's order."""
        return reading_of(await self._about("circuit_force", target, action))

    async def read(self, target: str, policy: CircuitPolicy) -> Reading:
        """Read one circuit."""
        return reading_of(await self._about("circuit_read", target, policy.bucket_ms))

    async def every(self, probes: Iterable[Probe] = ()) -> dict[str, Reading]:
        """
        Return every circuit that is or was not closed, by the name of its target.

        `probes` are still in progress and keep their slots.
        """
        held = [part for probe in probes for part in probe]
        arguments = (CIRCUITS_KEPT, round(LEASE_MAX_S * 1000), *held)
        rows = await self._submit(decision("circuits_list", (self._states, self._beat), *arguments))
        return {text_of(row[0]): reading_of([*row[1:], None]) for row in rows}

    def _about(self, name: str, target: str, *arguments: Argument) -> asyncio.Future[Any]:
        return self._submit(decision(name, (self._states, self._window + target), target, *arguments))


def reading_of(answer: Any) -> Reading:  # noqa: ANN401 - as redis-py returns it
    """Decode a script's answer about one circuit, a list of eight."""
    state, generation, wait_ms, forced, failures, calls, age_ms, slot = answer
    return Reading(
        state=CircuitState(text_of(state)),
        generation=generation,
        wait_ms=wait_ms,
        forced=forced == 1,
        failures=failures,
        calls=calls,
        age_ms=age_ms,
        slot=None if slot is None else text_of(slot),
    )
