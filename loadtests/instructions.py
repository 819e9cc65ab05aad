"""
What calls make the interpreter do: `python -m loadtests.instructions`, a table.

The application in this process in front of canned answers, as in `loadtests.own_code`, but counted instead of timed, as
`loadtests.counting` says. `--check FILE` compares it with the last row of a history, `--record FILE` adds a row, to be
committed with the change that it belongs to.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

import uvloop

from app.api.app import Api
from loadtests import features, history, messages
from loadtests.counting import Counts, StillClock, counts
from loadtests.features import FEATURES, Feature
from loadtests.gateways import config_file
from loadtests.own_code import App, CannedUpstream, open_app

Opening: TypeAlias = Callable[[Feature], AbstractContextManager[Api]]

_EVENTS: Final = 200
_CACHED: Final = Feature({"cache": {"enabled": True, "max_entries": 100}})


async def relayed(app: App, upstream: CannedUpstream) -> dict[str, Counts]:
    """Return what a whole answer, a stream of one chunk, and each further event of a stream take."""
    whole, short, long = (messages.chat_request("bench", tokens=tokens) for tokens in (None, 1, 1 + _EVENTS))
    upstream.answer_unary()
    unary = await counts(app, whole)
    upstream.answer_stream(1)
    stream = await counts(app, short)
    upstream.answer_stream(1 + _EVENTS)
    longer = await counts(app, long)
    return {"whole answer": unary, "stream of one chunk": stream, "further event": longer.less(stream, _EVENTS)}


async def measured(opening: Opening, upstream: CannedUpstream) -> dict[str, Counts]:
    """Return the counts of everything that is counted, by name; a feature's are what it adds to what it is beyond."""
    with opening(FEATURES["bare"]) as app:
        found = await relayed(app, upstream)
    upstream.answer_unary()
    with opening(_CACHED) as app:
        found["cache hit"] = await counts(app, messages.chat_request("bench"))
    return found | await _features(opening)


async def _features(opening: Opening) -> dict[str, Counts]:
    whole: dict[str, Counts] = {}
    for name, feature in FEATURES.items():
        with opening(feature) as app:
            whole[name] = await counts(app, messages.chat_request("bench"), features.KEY_HEADERS)
    beyond = {name: feature.beyond for name, feature in FEATURES.items() if feature.beyond is not None}
    return {f"+ {name}": whole[name].less(whole[other]) for name, other in beyond.items()}


async def _all(directory: Path, log: BinaryIO) -> Mapping[str, Counts]:
    upstream = CannedUpstream()

    def opening(feature: Feature) -> AbstractContextManager[Api]:
        return open_app(config_file(directory, feature.settings), upstream, log, StillClock())

    return await measured(opening, upstream)


def main(arguments: Sequence[str]) -> None:
    """Count, and print a table; never fails for what it finds."""
    parser = argparse.ArgumentParser(prog="loadtests.instructions", description="What calls make the interpreter do.")
    parser.add_argument("--check", metavar="FILE", type=Path, help="show what changed since the last row of FILE")
    parser.add_argument("--record", metavar="FILE", type=Path, help="add a row to FILE")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory, Path(os.devnull).open("wb") as log:
        found = uvloop.run(_all(Path(directory), log))
    last = None if given.check is None else history.last(given.check)
    sys.stdout.write(history.table(found, last))
    if given.record is not None:
        history.record(given.record, found)


if __name__ == "__main__":
    main(sys.argv[1:])
