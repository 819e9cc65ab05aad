"""Which failure a caller is told when all targets have failed."""

from __future__ import annotations

import pytest

from app.core.call import Target
from app.core.errors import (
    CIRCUIT_OPEN,
    CONTEXT_TOO_LONG,
    INVALID_REQUEST,
    OVERLOADED,
    TARGET_BUSY,
    TARGET_FAILED,
    TARGET_RATE_LIMITED,
    TARGET_UNAVAILABLE,
    TIMEOUT_CONNECT,
    TIMEOUT_FIRST_TOKEN,
    GatewayError,
    Kind,
)
from app.core.signals import FellBack, Signal
from app.stages.fallback import Fallback
from tests.support.calls import OTHER, TARGET, THIRD, FakeProvider, a_call, fails

USUAL = frozenset({"timeout", "network", "rate_limit", "server_error", "circuit_open", "context_length"})


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ([TARGET_FAILED, TARGET_BUSY, TARGET_RATE_LIMITED], 2),
        ([TARGET_RATE_LIMITED, CIRCUIT_OPEN, CIRCUIT_OPEN], 0),
        ([TARGET_FAILED, TARGET_RATE_LIMITED, TARGET_UNAVAILABLE], 1),
        ([TIMEOUT_FIRST_TOKEN, TIMEOUT_CONNECT, OVERLOADED], 0),
        ([CIRCUIT_OPEN, TIMEOUT_CONNECT, CIRCUIT_OPEN], 1),
        ([CIRCUIT_OPEN, TARGET_UNAVAILABLE, TIMEOUT_CONNECT], 2),
        ([CONTEXT_TOO_LONG, CIRCUIT_OPEN, TARGET_UNAVAILABLE], 0),
        ([CIRCUIT_OPEN, OVERLOADED, CIRCUIT_OPEN], 2),
        ([TARGET_FAILED, INVALID_REQUEST], 1),
        ([CIRCUIT_OPEN, INVALID_REQUEST], 1),
    ],
)
async def test_the_most_telling_failure_comes_out(kinds: list[Kind], told: int) -> None:
    """What a target said goes before one that was not reached, that before one not asked; of equals the last."""
    targets = (TARGET, OTHER, THIRD)
    provider, call = FakeProvider(*map(fails, kinds)), a_call()

    with pytest.raises(GatewayError) as caught:
        await Fallback(lambda _call: targets, provider, USUAL, lambda _: None)(call)

    assert caught.value.kind is kinds[told]
    assert (call.journal.position, call.journal.target) == (told, targets[told])
    assert [tried.code for tried in call.journal.tried] == [kind.code for kind in kinds]


async def test_a_forbidden_move_ends_with_the_most_telling_failure_as_well() -> None:
    """A target that may not be left is the last one asked, but not always the one that is told about."""
    signals: list[Signal] = []
    provider, call = FakeProvider(fails(TARGET_RATE_LIMITED), fails(CIRCUIT_OPEN)), a_call()
    stage = Fallback(lambda _call: (TARGET, OTHER, THIRD), provider, frozenset({"rate_limit"}), signals.append)

    with pytest.raises(GatewayError) as caught:
        await stage(call)

    assert caught.value.kind is TARGET_RATE_LIMITED
    assert provider.targets == [TARGET, OTHER]
    assert [signal.onward for signal in signals if isinstance(signal, FellBack)] == [OTHER.name]
    assert call.journal.target == Target("acme", "small")
