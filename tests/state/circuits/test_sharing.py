"""Circuits that replicas share: what the mirror answers by itself, and what becomes of it without Redis."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from app.core.circuits import CircuitState, Verdict
from app.core.errors import GatewayError
from app.state.circuits.circuit import Finding
from app.state.link import Command
from app.state.link.redis import LinkOptions
from tests.state.circuits.decisions import in_redis
from tests.state.hand import Hand
from tests.state.sharing import BRIEF, HANGS_S, OPTIONS, POLICY, TARGET, Replica, replica, until
from tests.support.redis_server import RedisServer

CLOSED, HALF_OPEN, OPEN = CircuitState.CLOSED, CircuitState.HALF_OPEN, CircuitState.OPEN
QUICK = LinkOptions(
    timeout_s=0.2, connect_s=5.0, beat_s=0.02
)  # for a Redis that hangs; one that is gone is soon missed
ALONE = LinkOptions(timeout_s=0.5, connect_s=5.0, beat_s=60.0)


def commands(server: RedisServer) -> int:
    """Return how many scripts the server has run."""
    found = server.do("INFO", "commandstats").get("cmdstat_evalsha", {"calls": 0})
    return int(found["calls"])


def lease_end(server: RedisServer, prefix: str, slot: str) -> int:
    """Return when the place of a probe is free again, in milliseconds of Redis."""
    text = "return cmsgpack.unpack(redis.call('HGET', KEYS[1], ARGV[1])).leases[ARGV[2]]"
    return int(server.do("EVAL", text, 1, f"{{{prefix}:circuits}}:states", TARGET.name, slot))


async def test_failures_of_one_replica_open_the_circuit_of_all(shared_server: RedisServer) -> None:
    """Failures add up over replicas; both know, and only the one that decided says why."""
    async with replica(shared_server.url, "sum") as one, replica(shared_server.url, "sum") as other:
        await one.fail(2)
        await until(lambda: _failures(one, 2))
        await other.fail(1)
        await until(lambda: one.changes() and other.changes())

        said = [await one.ask(), await other.ask()]

    assert ["circuit_open", "circuit_open"] == said
    assert [("closed", "open", "elsewhere")] == one.changes()
    assert [("closed", "open", "failures")] == other.changes()


async def test_a_late_verdict_decided_nothing(shared_server: RedisServer) -> None:
    """Each change is one replica's doing, so that the transitions of all add up; others hear of it as they report."""
    deaf = LinkOptions(timeout_s=2.0, connect_s=5.0, beat_s=60.0)
    async with (
        replica(shared_server.url, "late", link=deaf) as one,
        replica(shared_server.url, "late", link=deaf) as two,
    ):
        ticket = await two.circuits.admit(TARGET, POLICY)
        await one.fail()
        await until(one.changes)

        two.circuits.report(ticket, Verdict.FAILED, 0.0)
        await until(two.changes)

    assert [("closed", "open", "failures")] == one.changes()
    assert [("closed", "open", "elsewhere")] == two.changes()


async def test_only_the_decision_itself_has_no_age(shared_server: RedisServer) -> None:
    """Verdicts and probes of others in the very millisecond of a change are told from what brought it about."""
    hand = Hand()
    async with in_redis(shared_server.port, hand) as circuits:
        failure = Finding(0, failed=1)
        opened = [await circuits.report(TARGET.name, POLICY, failure) for _ in range(POLICY.failure_threshold + 1)]
        hand.pass_s(POLICY.open_s)
        probing = [await circuits.admit(TARGET.name, POLICY) for _ in range(2)]

    assert ([OPEN, OPEN], [0, 1]) == ([each.state for each in opened[-2:]], [each.age_ms for each in opened[-2:]])
    assert ([HALF_OPEN, HALF_OPEN], [0, 1]) == ([each.state for each in probing], [each.age_ms for each in probing])


async def test_closed_circuits_cost_no_command_before_a_call(server: RedisServer) -> None:
    """A hundred good calls are one report."""
    slow = LinkOptions(timeout_s=2.0, connect_s=5.0, beat_s=60.0)
    async with replica(server.url, "few", link=slow) as one:
        before = commands(server)
        said = {await one.ask() for _ in range(100)}
        while_calling = commands(server)
        await until(lambda: commands(server) > before)
        await asyncio.sleep(0.1)
        after = commands(server)

    assert {"passed"} == said
    assert (0, 1) == (while_calling - before, after - before)


async def test_open_circuits_cost_no_command_either(server: RedisServer) -> None:
    """The mirror knows until when."""
    slow = LinkOptions(timeout_s=2.0, connect_s=5.0, beat_s=60.0)
    async with replica(server.url, "refused", link=slow) as one:
        await one.fail()
        await until(one.changes)
        before = commands(server)
        said = {await one.ask() for _ in range(100)}
        after = commands(server)

    assert {"circuit_open"} == said
    assert before == after


async def test_good_answers_count_before_the_failure_that_follows_them(shared_server: RedisServer) -> None:
    """What is still being added up is sent first, so that the share of failures is true."""
    async with replica(shared_server.url, "share") as one:
        for _ in range(10):
            await one.ask()
        await one.fail()
        await until(lambda: _failures(one, 3))

        (view,) = await one.circuits.views(POLICY)

    assert (CLOSED, 3, 13) == (view.state, view.failures, view.calls)


async def test_one_of_many_replicas_probes(shared_server: RedisServer) -> None:
    """All ask in the same moment after the open time; the probe that succeeds closes the circuit for all."""
    async with (
        replica(shared_server.url, "probe") as one,
        replica(shared_server.url, "probe") as two,
        replica(shared_server.url, "probe") as three,
    ):
        replicas = (one, two, three)
        await one.fail(policy=BRIEF)
        await until(lambda: all(each.changes() for each in replicas))
        await asyncio.sleep(0.05)
        tickets = await asyncio.gather(
            *(each.circuits.admit(TARGET, BRIEF) for each in replicas), return_exceptions=True
        )

        admitted = [
            (each, ticket)
            for each, ticket in zip(replicas, tickets, strict=True)
            if not isinstance(ticket, BaseException)
        ]
        refused = [ticket for ticket in tickets if isinstance(ticket, GatewayError)]
        ((prober, ticket),) = admitted
        prober.circuits.report(ticket, Verdict.OK, 0.0)
        await until(lambda: all(each.changes()[-1][1] == "closed" for each in replicas))

        said = [await each.ask() for each in replicas]

    assert [1.0, 1.0] == [refusal.retry_after_s for refusal in refused]
    assert ["passed"] * 3 == said


async def test_a_full_house_is_not_asked_again_at_once(shared_server: RedisServer) -> None:
    """While a probe is under way, refusals come from the mirror for a moment; then the next may try."""
    async with replica(shared_server.url, "full") as one:
        await one.fail(policy=BRIEF)
        await until(one.changes)
        await asyncio.sleep(0.05)
        probe = await one.circuits.admit(TARGET, BRIEF)
        said = [await one.ask(policy=BRIEF) for _ in range(20)]
        one.circuits.report(probe, Verdict.IGNORED, 0.0)
        await until(lambda: _passes(one))

        state = await one.state()

    assert {"circuit_open"} == set(said)
    assert probe.slot
    assert state is CLOSED


async def test_a_caller_who_leaves_while_asking_gives_the_place_back(shared_server: RedisServer) -> None:
    """The probe's place that Redis grants afterwards is free again at once."""
    async with replica(shared_server.url, "left") as one:
        await one.fail(policy=BRIEF)
        await until(one.changes)
        await asyncio.sleep(0.05)
        leaving = asyncio.ensure_future(one.circuits.admit(TARGET, BRIEF))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])

        await until(lambda: _passes(one))


async def test_a_probe_under_way_keeps_its_place(server: RedisServer) -> None:
    """Each beat of its replica prolongs the lease, and a replica that is gone prolongs nothing."""
    async with replica(server.url, "long") as one:
        await one.fail(policy=BRIEF)
        await until(one.changes)
        await asyncio.sleep(0.05)
        ticket = await one.circuits.admit(TARGET, BRIEF)
        first = lease_end(server, "long", ticket.slot)
        await until(lambda: lease_end(server, "long", ticket.slot) > first)
    last = lease_end(server, "long", ticket.slot)
    await asyncio.sleep(0.1)

    assert last == lease_end(server, "long", ticket.slot)


async def test_an_operators_word_is_shared(shared_server: RedisServer) -> None:
    """Forced open on one replica, refused on the other, with a hint when to ask again."""
    async with replica(shared_server.url, "forced") as one, replica(shared_server.url, "forced") as other:
        view = await one.circuits.force(TARGET, "open", POLICY)
        await until(other.changes)

        with pytest.raises(GatewayError) as caught:
            await other.circuits.admit(TARGET, POLICY)
        await other.circuits.force(TARGET, "close", POLICY)
        await until(lambda: len(one.changes()) == 2)

    assert (OPEN, True, None) == (view.state, view.forced, view.wait_s)
    assert (POLICY.open_s, "acme") == (caught.value.retry_after_s, caught.value.provider)
    assert [("closed", "open", "forced"), ("open", "closed", "elsewhere")] == one.changes()


async def test_alone_it_goes_on_from_the_mirror(server: RedisServer) -> None:
    """An open circuit stays open, others open by their own failures, and shared state wins when it is back."""
    async with replica(server.url, "alone") as one:
        await one.fail()
        await until(one.changes)
        server.kill()
        await until(lambda: not one.link.up)
        said = [await one.ask() for _ in range(3)]
        await one.circuits.views(POLICY)
        server.start()
        await until(lambda: one.link.up)

        after = await one.ask()

    assert ["circuit_open"] * 3 == said
    assert "passed" == after  # the server came back empty
    assert [("closed", "open", "failures"), ("open", "closed", "elsewhere")] == one.changes()
    assert [True, False] == one.troubles()[:2]


async def test_alone_it_opens_circuits_by_itself(server: RedisServer) -> None:
    """With the numbers of the policy, and probes of its own."""
    async with replica(server.url, "itself", link=QUICK) as one:
        server.freeze()
        await until(lambda: not one.link.up)
        await one.fail(policy=BRIEF)
        opened = await one.state()
        await asyncio.sleep(0.05)
        said = [await one.ask(policy=BRIEF), await one.ask(policy=BRIEF)]
        with pytest.raises(GatewayError, match="out of reach"):
            await one.circuits.force(TARGET, "open", POLICY)
        server.thaw()

    assert opened is OPEN
    assert ["passed", "passed"] == said


@pytest.mark.parametrize(("fail", "said"), [("open", "passed"), ("closed", "state_unavailable")])
async def test_other_policies_without_redis(fail: Any, said: str) -> None:  # noqa: ANN401 - one of three words
    """Open never refuses, closed always."""
    async with replica("redis://127.0.0.1:1/0", "policy", fail, QUICK) as one:
        found = {await one.ask(Verdict.FAILED) for _ in range(10)}

        assert {said} == found
        assert [True] == one.troubles()


async def test_no_call_waits_longer_than_its_timeout(server: RedisServer) -> None:
    """Those who need Redis's word while it is frozen are answered by this process, in time."""
    async with replica(server.url, "patience", link=ALONE) as one:
        await one.fail(policy=BRIEF)
        await until(one.changes)
        await asyncio.sleep(0.05)
        server.freeze()
        async with asyncio.timeout(HANGS_S):
            said = await asyncio.gather(*(one.ask(policy=BRIEF) for _ in range(50)))
        server.thaw()

    assert {"passed", "circuit_open"} >= set(said)


async def test_a_stall_of_this_process_is_not_held_against_redis(shared_server: RedisServer) -> None:
    """An answer that lies there unread, because the process was busy until the time was up, is an answer."""
    async with replica(shared_server.url, "stall", link=LinkOptions(timeout_s=0.5, connect_s=5.0, beat_s=60.0)) as one:
        asking = asyncio.create_task(one.link.ask(one.link.submit(Command(("BLPOP", "nothing", "0.1")))))
        await asyncio.sleep(0.01)  # sent; the answer takes a tenth of a second
        time.sleep(0.6)  # noqa: ASYNC251, TID251 - that is the stall

        answer = await asking

    assert (answer, one.troubles()) == (None, [])


async def test_a_link_that_is_closed_leaves_nothing_behind(shared_server: RedisServer) -> None:
    """Neither tasks nor connections."""
    async with replica(shared_server.url, "closing", link=OPTIONS) as one:
        await one.fail(1)

    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def _failures(one: Replica, count: int) -> bool:
    return [view.failures for view in await one.circuits.views(POLICY)] == [count]


async def _passes(one: Replica) -> bool:
    return await one.ask(policy=BRIEF) == "passed"


async def test_after_a_recovery_counting_begins_anew(shared_server: RedisServer) -> None:
    """Good answers of the time before are not mixed with those of the new generation."""
    async with replica(shared_server.url, "anew") as one:
        early = await one.circuits.admit(TARGET, POLICY)
        await one.fail()
        await until(one.changes)
        await one.circuits.force(TARGET, "reset", POLICY)
        one.circuits.report(early, Verdict.OK, 0.0)
        for _ in range(2):
            await one.ask()
        await one.ask(Verdict.FAILED)
        await until(lambda: _failures(one, 1))

        (view,) = await one.circuits.views(POLICY)

    assert (CLOSED, 1, 3) == (view.state, view.failures, view.calls)


async def test_what_redis_did_not_take_counts_here(server: RedisServer) -> None:
    """Failures whose report is lost open the circuit of this process."""
    async with replica(server.url, "kept", link=ALONE) as one:
        server.freeze()
        await one.fail(policy=POLICY)
        still_up = one.link.up
        await until(one.changes)
        said = await one.ask()
        seen = await one.state()
        server.thaw()

    assert still_up
    assert ("circuit_open", OPEN) == (said, seen)
    assert [("closed", "open", "failures")] == one.changes()


async def test_an_operator_sees_this_process_if_redis_hangs(server: RedisServer) -> None:
    """The look does not hang with it, and the change is refused."""
    async with replica(server.url, "look", link=ALONE) as one:
        await one.fail(1)
        await until(lambda: _failures(one, 1))
        server.freeze()

        with pytest.raises(GatewayError, match="nothing was changed"):
            await one.circuits.force(TARGET, "open", POLICY)
        views = await one.circuits.views(POLICY)
        server.thaw()

    assert [] == views


async def test_a_lost_look_is_answered_from_here(server: RedisServer) -> None:
    """Also if the look itself is what finds Redis hanging."""
    async with replica(server.url, "lost", link=ALONE) as one:
        await one.fail(1)
        await until(lambda: _failures(one, 1))
        server.freeze()

        views = await one.circuits.views(POLICY)
        server.thaw()

    assert [] == views


async def test_what_is_known_is_told_without_a_question(shared_server: RedisServer) -> None:
    """Windows of closed circuits and the states of others, those of other replicas too, are a few beats old at most."""
    async with replica(shared_server.url, "glance") as one, replica(shared_server.url, "glance") as other:
        await one.ask()
        await one.fail(1)
        await until(lambda: [(view.failures, view.calls) for view in one.circuits.glance(POLICY)] == [(1, 2)])
        await one.fail(POLICY.failure_threshold - 1)
        await until(other.changes)

        (mine,), (theirs,) = one.circuits.glance(POLICY), other.circuits.glance(POLICY)

    assert (OPEN, OPEN) == (mine.state, theirs.state)
    assert (0, 0) == (mine.calls, theirs.calls)
    assert (mine.wait_s or 0.0) > 0


async def test_without_redis_a_glance_shows_this_process(server: RedisServer) -> None:
    """Its own decisions are then the truth."""
    async with replica(server.url, "alone") as one:
        server.kill()
        await until(one.troubles)
        await one.fail()

        (view,) = one.circuits.glance(POLICY)

    assert (TARGET.name, OPEN) == (view.target, view.state)
