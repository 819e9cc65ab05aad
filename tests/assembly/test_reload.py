"""A newer configuration replaces the gateway between two calls, and a bad one never does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from app.config.load import Loaded
from app.config.schema import Settings
from app.core.configuration import ConfigError, Problem
from app.core.errors import GatewayError
from app.core.signals import ConfigRejected, ConfigReloaded, HedgeEnded
from app.reload import Holder, Reloader
from tests.assembly.support import Bench, ask, loaded
from tests.support.calls import text_of
from tests.support.virtual_time import VirtualClock

OLD = {"models": {"old": {"targets": [{"provider": "sim", "model": "echo?first_token_s=10"}]}}}
NEW = {"models": {"new": {"targets": [{"provider": "sim", "model": "words?words=1"}]}}, "timeouts": {"total_s": 9}}
OTHER = {"timeouts": {"total_s": 8}}
WRONG = Problem("server.prot", "80", "one of the keys", "did you mean port?")


class Replicas:
    """The other processes: `wishes` counts how often they were asked to look, `reread` is what they can ask for."""

    def __init__(self) -> None:
        self.wishes = 0
        self.want: Callable[[], None] = lambda: None

    def listen(self, reread: Callable[[], None]) -> None:
        """Keep it."""
        self.want = reread

    def reread(self) -> None:
        """Count it."""
        self.wishes += 1


class Disk:
    """What would be read now: a configuration, or what is wrong with it."""

    def __init__(self) -> None:
        self.now: Loaded | Problem = loaded(**OLD)

    async def read(self) -> Loaded:
        """Read it."""
        if isinstance(self.now, Problem):
            raise ConfigError([self.now])
        return self.now


class Kept:
    """A gateway that can be reloaded; `applied` and `parent` are what was told outside of it."""

    def __init__(self, clock: VirtualClock) -> None:
        self.bench = Bench(clock)
        self.applied: list[Settings] = []
        self.parent: list[bool] = []
        self.disk, self.replicas = Disk(), Replicas()
        self.holder = Holder(loaded(**OLD), self.bench.deps, self.applied.append)
        self.reloader = Reloader(self.holder, self.disk.read, self.bench.told.append, self._tell, self.replicas)

    def _tell(self, *, asked: bool) -> None:
        self.parent.append(asked)

    async def until_told(self, count: int) -> None:
        """Give readings time, and expect so many signals."""
        for _ in range(100):
            await asyncio.sleep(0.01)
        assert len(self.bench.told) == count


@pytest.fixture
def kept(clock: VirtualClock) -> Kept:
    """Return a gateway of the old configuration."""
    return Kept(clock)


async def test_new_calls_use_the_new_one(kept: Kept) -> None:
    """After a reload the new routes and numbers are in force, and the old ones are not."""
    kept.disk.now = loaded(**NEW)

    await kept.reloader.reload()

    assert await text_of(await ask(kept.holder.current, "new")) == "all"
    assert kept.holder.current.edge.total_s == 9
    with pytest.raises(GatewayError):
        await ask(kept.holder.current, "old")


async def test_running_calls_keep_the_old_one(kept: Kept) -> None:
    """A call that has begun ends as it would have without the reload."""
    running = asyncio.create_task(ask(kept.holder.current, "old", stream=True))
    await asyncio.sleep(5.0)
    kept.disk.now = loaded(**NEW)

    await kept.reloader.reload()

    assert await text_of(await running) == "a b c"
    assert kept.bench.sim.open_replies == 0


async def test_a_reload_answers_with_the_differences(kept: Kept) -> None:
    """Digests and changed settings are told to whoever asked, in the log, and to what lives outside the gateway."""
    kept.disk.now = loaded(**OLD, timeouts={"total_s": 9})

    exchange = await kept.reloader.reload()

    assert [(change.path, change.before, change.after) for change in exchange.changes] == [
        ("timeouts.total_s", "300", "9")
    ]
    assert kept.bench.told == [ConfigReloaded(loaded(**OLD).digest, exchange.now, 1, "timeouts.total_s")]
    assert [settings.timeouts.total_s for settings in kept.applied] == [9]


async def test_a_bad_configuration_changes_nothing(kept: Kept) -> None:
    """It is told by the number of problems and the first place, and whoever asked gets all of them."""
    before = kept.holder.current
    kept.disk.now = WRONG

    with pytest.raises(ConfigError) as refused:
        await kept.reloader.reload()

    assert [problem.path for problem in refused.value.problems] == ["server.prot"]
    assert kept.reloader.problems == refused.value.problems
    assert kept.holder.current is before
    assert kept.bench.told == [ConfigRejected(1, "server.prot")]
    assert (kept.applied, kept.parent, kept.replicas.wishes) == ([], [], 0)
    assert await text_of(await ask(kept.holder.current, "old")) == "a b c"


async def test_a_good_configuration_after_a_bad_one(kept: Kept) -> None:
    """A bad configuration does not stand in the way of the next good one, and is forgotten."""
    kept.disk.now = WRONG
    with pytest.raises(ConfigError):
        await kept.reloader.reload()
    kept.disk.now = loaded(**NEW)

    await kept.reloader.reload()

    assert await text_of(await ask(kept.holder.current, "new")) == "all"
    assert kept.reloader.problems == ()


async def test_the_administration_lets_everybody_look(kept: Kept) -> None:
    """A reload that was asked for by the administration reaches the parent's other workers and the replicas."""
    kept.disk.now = loaded(**NEW)

    await kept.reloader.reload()

    assert (kept.parent, kept.replicas.wishes) == ([False, True], 1)


async def test_a_hangup_concerns_this_process(kept: Kept) -> None:
    """A signal is for whoever it was sent to; replicas are not told, the parent hears that something is new."""
    kept.disk.now = loaded(**NEW)

    kept.reloader.request()
    await kept.until_told(1)

    assert (kept.parent, kept.replicas.wishes) == ([False], 0)


async def test_who_asks_is_answered_and_who_looks_is_not(kept: Kept) -> None:
    """Nothing new is no news: only a request by hand is confirmed. The same goes for the same problem."""
    kept.reloader.look()
    kept.reloader.request()
    await kept.until_told(1)
    kept.disk.now = WRONG
    kept.reloader.look()
    await kept.until_told(2)
    kept.reloader.look()
    kept.reloader.request()
    await kept.until_told(3)

    digest = loaded(**OLD).digest
    assert kept.bench.told == [ConfigReloaded(digest, digest), *[ConfigRejected(1, "server.prot")] * 2]


async def test_replicas_can_make_it_look(kept: Kept) -> None:
    """What another replica was asked for happens here, too, and goes no further."""
    kept.disk.now = loaded(**NEW)

    kept.replicas.want()
    await kept.until_told(1)

    assert kept.holder.current.edge.total_s == 9
    assert kept.replicas.wishes == 0


async def test_requests_are_obeyed_one_after_another(kept: Kept) -> None:
    """Several at once never mix: the last reading is the one in use."""
    kept.disk.now = loaded(**NEW)
    first = asyncio.ensure_future(kept.reloader.reload())
    second = asyncio.ensure_future(kept.reloader.reload())

    exchanges = [await first, await second]

    assert [exchange.now for exchange in exchanges] == [loaded(**NEW).digest] * 2
    assert exchanges[1].changes == ()


async def test_retry_budgets_outlive_a_reload(kept: Kept) -> None:
    """What is left for retries is forgotten only if its numbers changed."""
    deps = kept.bench.deps
    before = deps.retry_budgets(0.2, 3)
    kept.disk.now = loaded(**NEW)
    await kept.reloader.reload()
    same = deps.retry_budgets(0.2, 3)
    kept.disk.now = loaded(retry={"budget_ratio": 0.5})

    await kept.reloader.reload()

    assert same is before
    assert deps.retry_budgets(0.5, 3) is not before


@pytest.mark.parametrize(("ratio", "hedged"), [(0.5, True), (0.4, False)])
async def test_hedge_shares_outlive_a_reload(kept: Kept, *, ratio: float, hedged: bool) -> None:
    """Two calls that half of may be hedged pay for one hedge, also with a reload between; not if the share changed."""

    def hedging(ratio: float) -> dict[str, object]:
        hedge = {"enabled": True, "min_s": 1, "max_s": 1, "budget_ratio": ratio}
        targets = [{"provider": "sim", "model": model} for model in ("echo?first_token_s=9", "echo?id=quick")]
        return {"models": {"fast": {"targets": targets, "hedge": hedge}}}

    kept.disk.now = loaded(**hedging(0.5), timeouts={"total_s": 98})
    await kept.reloader.reload()
    await ask(kept.holder.current, "fast")
    kept.disk.now = loaded(**hedging(ratio), retry={"max_attempts": 2})
    await kept.reloader.reload()

    await ask(kept.holder.current, "fast")

    assert bool([signal for signal in kept.bench.told if isinstance(signal, HedgeEnded)]) is hedged
