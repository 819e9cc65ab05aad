"""The time in a test's hand, for decisions that are taken here and for those that Redis takes."""

from __future__ import annotations

import asyncio
from typing import Any

from app.core.gcra import US_PER_S
from app.state.link import Command, Submit, unheeded
from app.state.scripts import Script

EPOCH_US = 1_700_000_000_000_000
_CLOCK = "clock-of-tests"


class Hand:
    """The time, in microseconds and in milliseconds."""

    def __init__(self) -> None:
        self.now_us = EPOCH_US

    @property
    def now_ms(self) -> int:
        """Return it in whole milliseconds."""
        return self.now_us // 1000

    def pass_s(self, seconds: float) -> None:
        """Let some of it pass."""
        self.now_us += round(seconds * US_PER_S)


def on_time(submit: Submit, hand: Hand) -> Submit:
    """Return a way to Redis on which every script takes the time from `hand`."""

    def submitted(command: Command) -> asyncio.Future[Any]:
        if command.script is not None:
            seconds, rest_us = divmod(hand.now_us, US_PER_S)
            unheeded(submit(Command(("HSET", _CLOCK, "s", seconds, "us", rest_us))))
            text = command.script.text.replace("redis.call('TIME')", f"redis.call('HMGET', '{_CLOCK}', 's', 'us')")
            script = Script.of(text)
            command = Command(("EVALSHA", script.sha1, *command.words[2:]), script)
        return submit(command)

    return submitted
