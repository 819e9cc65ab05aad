"""Sessions in files, where what is in a folder may be something else than what was written there."""

from __future__ import annotations

import os
from pathlib import Path

from app.core.errors import STATE_UNAVAILABLE
from app.state.sessions import SWEEP_EVERY_S
from app.state.sessions.file import FileSessions
from tests.state.hand import Hand
from tests.state.sessions.test_stores import LIMITS, HandClock, a_session, refusal


def spoil(folder: Path, ends: float) -> None:
    """Write something else over a session, which ends at `ends`."""
    (file,) = folder.glob("*/sess_1.jsonl")
    file.write_bytes(b"{\n")
    os.utime(file, (0.0, ends))


async def test_a_broken_file_is_in_nobody_elses_way(tmp_path: Path) -> None:
    """Once it has expired it is looked at when somebody begins a session; only its own session is lost."""
    hand = Hand()
    store = FileSessions(tmp_path, LIMITS, HandClock(hand))
    await store.create(a_session(hand))
    spoil(tmp_path, hand.now_ms / 1000)
    hand.pass_s(SWEEP_EVERY_S)

    await store.create(a_session(hand, "sess_2"))

    assert (await store.load("eve", "sess_2")).head.id == "sess_2"
    assert (await refusal(store.load("eve", "sess_1"))).kind is STATE_UNAVAILABLE
