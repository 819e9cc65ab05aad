"""A newer configuration replaces the gateway between two calls, and a bad one never does."""

from __future__ import annotations

import asyncio

import pytest

from app.config.load import ConfigError, Loaded
from app.config.problems import Problem
from app.config.schema import Settings
from app.core.errors import GatewayError
from app.core.signals import ConfigRejected, ConfigReloaded
from app.reload import Holder
from tests.assembly.support import Bench, ask, loaded
from tests.support.calls import text_of
from tests.support.virtual_time import VirtualClock

OLD = {"models": {"old": {"targets": [{"provider": "sim", "model": "echo?first_token_s=10"}]}}}
NEW = {"models": {"new": {"targets": [{"provider": "sim", "model": "words?words=1"}]}}, "timeouts": {"total_s": 9}}


class Kept:
    """A holder with a gateway, and what it was said to apply."""

    def __init__(self, clock: VirtualClock) -> None:
        self.bench = Bench(clock)
        self.applied: list[Settings] = []
        self.holder = Holder(loaded(**OLD), self.bench.deps, self.applied.append)


@pytest.fixture
def kept(clock: VirtualClock) -> Kept:
    """Return a holder of the old configuration."""
    return Kept(clock)


def refuse() -> Loaded:
    """Fail to read a configuration that has two problems."""
    raise ConfigError([Problem("server.prot", "80", "one of the keys", "did you mean port?"), Problem("x", "", "", "")])


async def test_new_calls_use_the_new_one(kept: Kept) -> None:
    """After a reload the new routes and numbers are in force, and the old ones are not."""
    kept.holder.reload(lambda: loaded(**NEW))

    reply = await ask(kept.holder.current, "new")

    assert await text_of(reply) == "all"
    assert kept.holder.current.edge.total_s == 9
    with pytest.raises(GatewayError):
        await ask(kept.holder.current, "old")


async def test_running_calls_keep_the_old_one(kept: Kept) -> None:
    """A call that has begun ends as it would have without the reload."""
    running = asyncio.create_task(ask(kept.holder.current, "old", stream=True))
    await asyncio.sleep(5.0)

    kept.holder.reload(lambda: loaded(**NEW))

    assert await text_of(await running) == "a b c"
    assert kept.bench.sim.open_replies == 0


def test_reload_is_told(kept: Kept) -> None:
    """Both digests are told, and what lives outside the gateway can follow."""
    kept.holder.reload(lambda: loaded(**NEW))

    assert kept.bench.told == [ConfigReloaded(loaded(**OLD).digest, loaded(**NEW).digest)]
    assert [settings.timeouts.total_s for settings in kept.applied] == [9]


async def test_bad_configuration_changes_nothing(kept: Kept) -> None:
    """A configuration with problems is told by their number and the first place, without any value."""
    before = kept.holder.current

    kept.holder.reload(refuse)

    assert kept.holder.current is before
    assert kept.bench.told == [ConfigRejected(2, "server.prot")]
    assert kept.applied == []
    assert await text_of(await ask(kept.holder.current, "old")) == "a b c"


async def test_reload_after_a_bad_one(kept: Kept) -> None:
    """A bad configuration does not stand in the way of the next good one."""
    kept.holder.reload(refuse)
    kept.holder.reload(lambda: loaded(**NEW))

    assert await text_of(await ask(kept.holder.current, "new")) == "all"
