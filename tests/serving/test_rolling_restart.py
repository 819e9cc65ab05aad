"""Two replicas are restarted one after the other under load, behind what a load balancer does: nothing is lost."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter

import httpx2

from tests.support.gateway import LOCAL, Start, running

CONFIG = {"providers": {"sim": {"kind": "sim"}}}
BODY = {"model": "sim/echo?first_token_s=0.01", "messages": [{"role": "user", "content": "hi"}]}
CLIENTS, CALLS, PROBE_S = 8, 200, 0.05


class Balancer:
    """Sends calls in turn to the replicas that said they are ready when last asked; never sends one twice."""

    def __init__(self) -> None:
        self.ready: dict[str, bool] = {}
        self.outcomes: Counter[str] = Counter()
        self._turn = 0
        self._counted = asyncio.Condition()

    async def probe(self, over: asyncio.Event) -> None:
        """Ask each replica whether it is ready, again and again."""
        async with httpx2.AsyncClient(**LOCAL) as client:
            while not over.is_set():
                for url in [*self.ready]:
                    try:
                        self.ready[url] = (await client.get(f"{url}/readyz")).status_code == 200
                    except httpx2.TransportError:
                        self.ready[url] = False
                await asyncio.sleep(PROBE_S)

    async def call(self, client: httpx2.AsyncClient, over: asyncio.Event) -> None:
        """Send one call after another over kept connections."""
        while not over.is_set():
            able = [url for url, ready in self.ready.items() if ready]
            self._turn += 1
            try:
                answer = await client.post(f"{able[self._turn % len(able)]}/v1/chat/completions", json=BODY)
                outcome = str(answer.status_code)
            except httpx2.TransportError as error:
                outcome = type(error).__name__
            async with self._counted:
                self.outcomes[outcome] += 1
                self._counted.notify_all()

    async def more(self, calls: int) -> None:
        """Wait for so many further calls."""
        enough = self.outcomes.total() + calls
        async with self._counted:
            await self._counted.wait_for(lambda: self.outcomes.total() >= enough)


async def test_a_rolling_restart_loses_no_call() -> None:
    """Each replica in turn drains and is replaced while eight clients call without a pause."""
    start = Start(CONFIG, variables={"WIZARD_SERVER__DRAIN_DELAY_S": "3"})
    balancer, over = Balancer(), asyncio.Event()
    with running(start) as first, running(start) as second, running(start) as third, running(start) as fourth:
        balancer.ready = {first.url: True, second.url: True}
        async with httpx2.AsyncClient(**LOCAL) as client:
            work = [asyncio.ensure_future(balancer.call(client, over)) for _ in range(CLIENTS)]
            work.append(asyncio.ensure_future(balancer.probe(over)))
            await balancer.more(CALLS)
            for leaving, coming in ((first, third), (second, fourth)):
                balancer.ready[coming.url] = True
                leaving.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(leaving.wait) == 0
                del balancer.ready[leaving.url]
                await balancer.more(CALLS)
            over.set()
            await asyncio.gather(*work)

    assert balancer.outcomes.total() >= 3 * CALLS
    assert set(balancer.outcomes) == {"200"}
