"""A watch says that files have changed: once for each state in which they keep still."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.config.load import Loaded, load
from app.core.clock import SystemClock
from app.reload import Watch

GOOD = "providers: {sim: {kind: sim}}\n"


class Brisk(SystemClock):
    """A clock for which half a second is over at once; `looks` counts how often somebody waited."""

    def __init__(self) -> None:
        self.looks = 0
        self._looked = asyncio.Condition()

    async def sleep(self, seconds: float) -> None:  # noqa: ARG002 - it is always the same
        """Wait for a hundredth of a second."""
        await super().sleep(0.01)
        async with self._looked:
            self.looks += 1
            self._looked.notify_all()

    async def more(self, looks: int = 4) -> None:
        """Wait for so many further looks."""
        enough = self.looks + looks
        async with asyncio.timeout(60), self._looked:
            await self._looked.wait_for(lambda: self.looks >= enough)


class Watched:
    """A configuration on disk, and how often it was said to have changed."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config.yaml"
        self.file.write_text(GOOD, encoding="utf-8")
        self.loaded: Loaded = load(self.file, {})
        self.clock = Brisk()
        self.changes = 0
        self.task = asyncio.ensure_future(Watch(lambda: self.loaded, self._changed, self.clock).run())

    def _changed(self) -> None:
        self.changes += 1

    async def stop(self) -> None:
        """Stop watching."""
        self.task.cancel()
        await asyncio.wait([self.task])


@pytest.fixture
async def watched(tmp_path: Path) -> Watched:
    """Watch a file."""
    return Watched(tmp_path)


async def test_nothing_is_no_change(watched: Watched) -> None:
    """A file that stays as it is, or that is read without being written, is no news."""
    await watched.clock.more()
    watched.file.read_text(encoding="utf-8")

    await watched.clock.more()

    assert watched.changes == 0
    await watched.stop()


async def test_a_change_is_told_once(watched: Watched) -> None:
    """However long it stays so; also if the new state cannot be used and the old one is kept."""
    watched.file.write_text("nonsense: 1", encoding="utf-8")
    await watched.clock.more(10)

    assert watched.changes == 1
    await watched.stop()


async def test_each_state_is_told(watched: Watched) -> None:
    """What is mended after it was bad is news again."""
    watched.file.write_text("nonsense: 1", encoding="utf-8")
    await watched.clock.more(10)
    watched.file.write_text(GOOD + "# mended\n", encoding="utf-8")
    await watched.clock.more(10)

    assert watched.changes == 2
    await watched.stop()


async def test_a_step_back_is_told(watched: Watched) -> None:
    """The file in use that takes the place of a bad one looks as it did when it was read, and is news all the same."""
    kept = watched.file.rename(watched.file.with_suffix(".kept"))
    watched.file.write_text("nonsense: 1", encoding="utf-8")
    await watched.clock.more(10)
    kept.replace(watched.file)
    await watched.clock.more(10)

    assert watched.changes == 2
    await watched.stop()


async def test_what_was_read_for_another_reason_is_known(watched: Watched) -> None:
    """A hang-up was quicker: the watch does not ask for the same once more."""
    watched.file.write_text(GOOD + "# newer\n", encoding="utf-8")
    watched.loaded = load(watched.file, {})

    await watched.clock.more(10)

    assert watched.changes == 0
    await watched.stop()


async def test_a_file_that_vanishes_for_a_moment(watched: Watched) -> None:
    """Editors exchange files; one that is gone and stays gone is a change, which its reading will explain."""
    watched.file.unlink()

    await watched.clock.more(10)

    assert watched.changes == 1
    await watched.stop()
