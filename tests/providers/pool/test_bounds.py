"""How many connections there are, who gets one, and when they go."""

from __future__ import annotations

import asyncio

import pytest

from app.core.errors import TARGET_MISCONFIGURED, TARGET_UNAVAILABLE, TIMEOUT_CONNECT, GatewayError
from app.providers.pool import PoolClient, PoolOptions
from tests.providers.pool.talking import ask, greet, pool_with, post, serving
from tests.support.upstream_server import Act, Received, Step, UpstreamServer, always, in_turn, whole


async def ticks(count: int = 20) -> None:
    """Let everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_latest_used_connection_is_used_next(pool: PoolClient) -> None:
    """Connections are taken from the top of the stack, so that those nobody needs can grow old."""
    gate = asyncio.Event()
    async with UpstreamServer(lambda asked: [gate, whole(b"%d" % asked.connection)]) as server:
        calls = [asyncio.create_task(ask(pool, server.url)) for _ in range(3)]
        await server.wait_for_requests(3)
        gate.set()
        await asyncio.gather(*calls)
        first = await ask(pool, server.url)
        later = [await ask(pool, server.url) for _ in range(5)]

        assert later == [first] * 5
        assert len(server.connections) == 3


@pytest.mark.parametrize("most", [1, 2])
async def test_an_origin_has_no_more_than_its_share(most: int) -> None:
    """Calls beyond the limit wait until it is their turn."""
    async with pool_with(PoolOptions(per_origin_max=most)) as pool, UpstreamServer(lambda a: [whole(a.body)]) as server:
        answers = await asyncio.gather(*(ask(pool, server.url, b"%d" % number) for number in range(20)))

        assert answers == [b"%d" % number for number in range(20)]
        assert len(server.connections) == most


async def test_who_came_first_is_served_first() -> None:
    """Waiting calls get their turn in the order in which they came."""
    async with pool_with(PoolOptions(per_origin_max=1)) as pool, UpstreamServer(lambda a: [whole(a.body)]) as server:
        await asyncio.gather(*(ask(pool, server.url, b"%d" % number) for number in range(20)))

        assert [asked.body for asked in server.requests] == [b"%d" % number for number in range(20)]


async def test_the_limit_holds_for_calls_of_all_origins() -> None:
    """A call waits for a place that calls to another origin hold."""
    gate = asyncio.Event()
    async with (
        pool_with(PoolOptions(connections_max=2)) as pool,
        UpstreamServer(always(gate, whole(b"one"))) as one,
        UpstreamServer(always(whole(b"two"))) as two,
    ):
        held = [asyncio.create_task(ask(pool, one.url)) for _ in range(2)]
        await one.wait_for_requests(2)
        waiting = asyncio.create_task(ask(pool, two.url))
        await ticks()
        before = len(two.connections)
        gate.set()

        assert [await call for call in [*held, waiting]] == [b"one", b"one", b"two"]
        assert before == 0


async def test_resting_connections_make_room_for_another_origin() -> None:
    """Where connections that nobody uses fill the pool, the longest resting is closed for the one that is needed."""
    async with (
        pool_with(PoolOptions(connections_max=2)) as pool,
        UpstreamServer(always(whole(b"one"))) as one,
        UpstreamServer(always(whole(b"two"))) as two,
        UpstreamServer(always(whole(b"three"))) as three,
    ):
        answers = [await ask(pool, server.url) for server in (one, two, three, two)]
        await one.connections[0].wait_closed()

        assert answers == [b"one", b"two", b"three", b"two"]
        assert (len(two.connections), len(two.open), len(three.open)) == (1, 1, 1)


async def test_waiting_for_a_place_is_bounded() -> None:
    """Who gets no place within `connect_s` has had no connection, and leaves the line."""
    gate = asyncio.Event()
    async with (
        pool_with(PoolOptions(per_origin_max=1)) as pool,
        UpstreamServer(always(gate, whole(b"x"))) as server,
    ):
        holding = asyncio.create_task(ask(pool, server.url))
        await server.wait_for_requests(1)
        with pytest.raises(GatewayError) as caught:
            await ask(pool, server.url, connect_s=0.01)
        gate.set()

        assert caught.value.kind is TIMEOUT_CONNECT
        assert [await holding, await ask(pool, server.url)] == [b"x", b"x"]


async def test_who_leaves_the_line_takes_no_place() -> None:
    """Cancelling calls that wait, at any moment, costs nobody a place."""
    async with (
        pool_with(PoolOptions(per_origin_max=1, connections_max=1)) as pool,
        UpstreamServer(always(whole(b"x"))) as server,
    ):
        for count in range(30):
            calls = [asyncio.create_task(ask(pool, server.url)) for _ in range(4)]
            await ticks(count)
            for call in calls[1:]:
                call.cancel()
            await asyncio.wait(calls)

        assert await ask(pool, server.url, connect_s=1.0) == b"x"


async def test_who_leaves_takes_nobody_along() -> None:
    """A call that is cancelled as its answer arrives does not close the connection that is already another's."""
    async with (
        pool_with(PoolOptions(per_origin_max=1)) as pool,
        UpstreamServer(lambda asked: [whole(asked.body)]) as server,
    ):
        for count in range(60):
            leaving, staying = (asyncio.create_task(ask(pool, server.url, name)) for name in (b"one", b"two"))
            await ticks(count)
            leaving.cancel()
            async with asyncio.timeout(60):
                answer = await staying

            assert answer == b"two"
            await asyncio.wait([leaving])


async def test_a_connection_that_rests_too_long_is_closed() -> None:
    """After `idle_s` without a call the pool lets go by itself."""
    async with (
        pool_with(PoolOptions(idle_s=0.02)) as pool,
        UpstreamServer(always(whole(b"x"))) as server,
    ):
        await asyncio.gather(ask(pool, server.url), ask(pool, server.url))
        await server.connections[0].wait_closed()
        await server.connections[1].wait_closed()

        assert [connection.by_peer for connection in server.connections] == [True, True]


async def test_each_connection_has_its_own_rest() -> None:
    """A connection that rests since later is closed later, without anybody calling."""
    early, late = asyncio.Event(), asyncio.Event()
    script = in_turn((early, whole(b"x")), (late, whole(b"x")))
    async with pool_with(PoolOptions(idle_s=0.1)) as pool, UpstreamServer(script) as server:
        calls = [asyncio.create_task(ask(pool, server.url)) for _ in range(2)]
        await server.wait_for_requests(2)
        first, second = server.connections

        early.set()
        await first.wait_closed()
        left = second.closed.is_set()
        late.set()
        await second.wait_closed()
        await asyncio.gather(*calls)

        assert (left, first.by_peer, second.by_peer) == (False, True, True)


async def test_who_waits_at_the_second_gate_can_leave() -> None:
    """A call that has a place at its origin but none overall gives it back when it is given up."""
    gate = asyncio.Event()
    async with (
        pool_with(PoolOptions(per_origin_max=1, connections_max=1)) as pool,
        UpstreamServer(always(gate, whole(b"one"))) as one,
        UpstreamServer(always(whole(b"two"))) as two,
    ):
        holding = asyncio.create_task(ask(pool, one.url))
        await one.wait_for_requests(1)
        leaving = asyncio.create_task(ask(pool, two.url))
        await ticks()
        leaving.cancel()
        await asyncio.wait([leaving])
        gate.set()

        assert [await holding, await ask(pool, two.url)] == [b"one", b"two"]


async def test_an_old_connection_is_not_kept() -> None:
    """A connection beyond `age_s` is closed after its call."""
    async with (
        pool_with(PoolOptions(age_s=0.0)) as pool,
        UpstreamServer(always(whole(b"x"))) as server,
    ):
        answers = [await ask(pool, server.url) for _ in range(3)]

        assert answers == [b"x"] * 3
        assert len(server.connections) == 3


async def test_warming_up_opens_connections(pool: PoolClient) -> None:
    """Connections can be opened before they are needed, and only as many as are missing."""
    async with UpstreamServer(always(0.0, whole(b"x"))) as server:
        opened = [await pool.warm(server.url, 3, 5.0), await pool.warm(server.url, 4, 5.0)]
        await asyncio.gather(*(ask(pool, server.url) for _ in range(4)))

        assert opened == [3, 4]
        assert len(server.connections) == 4


async def test_warming_up_stays_within_the_share() -> None:
    """No more connections are opened than the origin may have."""
    async with pool_with(PoolOptions(per_origin_max=2)) as pool, UpstreamServer(always(whole(b"x"))) as server:
        opened = await pool.warm(server.url, 5, 5.0)

        assert (opened, len(server.connections)) == (2, 2)


async def test_warming_up_an_absent_provider_is_no_failure(pool: PoolClient) -> None:
    """Warming up promises nothing: it tells what it got."""
    async with serving(greet) as port:
        pass

    assert await pool.warm(f"http://127.0.0.1:{port}", 3, 5.0) == 0


async def test_warming_up_nothing(pool: PoolClient) -> None:
    """A URL that is none cannot be warmed up."""
    with pytest.raises(GatewayError) as caught:
        await pool.warm("nonsense", 1, 5.0)

    assert caught.value.kind is TARGET_MISCONFIGURED


async def test_five_hundred_connections_at_once(pool: PoolClient) -> None:
    """Many calls at the same moment open as many connections, and all are answered."""
    together = asyncio.Event()

    def script(asked: Received) -> list[Step]:
        if len(server.requests) == 500:
            together.set()
        return [together, whole(asked.body)]

    async with UpstreamServer(script) as server:
        answers = await asyncio.gather(*(ask(pool, server.url, b"%d" % n, 30.0) for n in range(500)))

        assert answers == [b"%d" % n for n in range(500)]
        assert len(server.connections) == 500


async def test_closing_the_pool_fails_the_calls_under_way() -> None:
    """At its end a pool leaves nobody waiting: not for an answer, not for a place, not later."""
    pool = PoolClient(PoolOptions(per_origin_max=1))
    async with UpstreamServer(in_turn([Act.HANG])) as server:
        calls = [asyncio.create_task(pool.send(post(server.url))) for _ in range(3)]
        await server.wait_for_requests(1)
        await pool.aclose()
        ends = await asyncio.gather(*calls, pool.send(post(server.url)), return_exceptions=True)
        await server.connections[0].wait_closed()

    assert [end.kind for end in ends if isinstance(end, GatewayError)] == [TARGET_UNAVAILABLE] * 4
