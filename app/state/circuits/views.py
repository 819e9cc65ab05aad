"""Presents decisions about circuits: the refusal of a call, and the view for operators."""

from __future__ import annotations

from app.core.call import Target
from app.core.circuits import NO_GENERATION, CircuitPolicy, CircuitState, CircuitView, Ticket
from app.core.errors import CIRCUIT_OPEN, GatewayError
from app.state.circuits.circuit import Reading

PROBING_WAIT_S = 1.0  # while probes are in progress, which takes one answer


def refuse(target: Target, reading: Reading, policy: CircuitPolicy, *, last_resort: bool) -> Ticket:
    """
    Refuse a call, or admit it uncounted if it has no other target and no operator has opened the circuit.

    Raises:
        GatewayError: CIRCUIT_OPEN.
    """
    if last_resort and not reading.forced:
        return Ticket(target, policy, NO_GENERATION, "")
    raise _refusal(target, reading, policy)


def view_of(target: str, reading: Reading) -> CircuitView:
    """Return the view for operators."""
    return CircuitView(
        target=target,
        state=reading.state,
        forced=reading.forced,
        failures=reading.failures,
        calls=reading.calls,
        age_s=reading.age_ms / 1000,
        wait_s=None if reading.forced else reading.wait_ms / 1000,
    )


def _refusal(target: Target, reading: Reading, policy: CircuitPolicy) -> GatewayError:
    provider = target.provider
    if reading.forced:
        message = f"The operator has opened the circuit of {target.name!r}."
        return GatewayError(CIRCUIT_OPEN, message, retry_after_s=policy.open_s).at(provider)
    if reading.state is CircuitState.HALF_OPEN:
        message = f"{target.name!r} failed too often; a few calls find out whether it is well again."
        return GatewayError(CIRCUIT_OPEN, message, retry_after_s=PROBING_WAIT_S).at(provider)
    message = f"{target.name!r} failed too often and is left alone for a while."
    return GatewayError(CIRCUIT_OPEN, message, retry_after_s=reading.wait_ms / 1000).at(provider)
