"""Until when a stream can still be tried again: priming, and what a failure is called afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from app.core import errors
from app.core.errors import KINDS, STREAM_BROKEN, TARGET_FAILED, TARGET_UNAVAILABLE, GatewayError, Kind
from app.core.model import StreamEvent, Weight
from app.core.stream import Batch, EventStream, after_commit
from app.core.usage import Usage
from tests.support.calls import Line, Rule, Sent, Witness, done, role, thought, usage, word

ANY_EVENT, VISIBLE, ANSWER = Rule(Weight.NOTHING), Rule(Weight.THOUGHT), Rule(Weight.ANSWER)


async def primed(line: Line, rule: Rule) -> int:
    """Prime a stream, close it, and say how many batches it had to read."""
    stream = line.stream()
    await stream.prime(rule)
    read = line.log.count("sent")
    await stream.aclose()
    return read


@pytest.mark.parametrize(
    ("rule", "script", "read"),
    [
        (ANY_EVENT, [role(), thought(), word()], 1),
        (VISIBLE, [role(), usage(1, 0), thought(), word()], 3),
        (VISIBLE, [role(), word(), thought()], 2),
        (ANSWER, [role(), thought(), thought(), word()], 4),
        (ANSWER, [role(), done()], 2),
        (VISIBLE, [[role(), thought(), role()], word()], 1),
        (VISIBLE, [[], role(), word()], 3),
        (ANY_EVENT, [[], role(), word()], 2),
    ],
)
async def test_a_stream_is_held_until_it_commits(rule: Rule, script: list[Sent], read: int) -> None:
    """Each rule holds events back up to the first of its weight: any event, a visible one, or one of the answer."""
    assert await primed(Line(*script), rule) == read


async def test_held_bytes_are_bounded() -> None:
    """A stream that says nothing at length commits with the first event beyond the bound, and not at the bound."""
    size = len(role().frame)
    script = [role()] * 5

    exactly = await primed(Line(*script), Rule(Weight.ANSWER, held_max_bytes=3 * size))
    less = await primed(Line(*script), Rule(Weight.ANSWER, held_max_bytes=3 * size - 1))

    assert (exactly, less) == (4, 3)


async def test_all_events_of_a_read_count_towards_the_bound() -> None:
    """Held bytes are those of every event that a read brought."""
    size = len(role().frame)
    line = Line([role(), role()], [role(), role()], [role(), role()])

    assert await primed(line, Rule(Weight.ANSWER, held_max_bytes=3 * size)) == 2


async def test_held_events_go_out_first_and_whole() -> None:
    """What was held is read before what follows, in the batches in which it came."""
    held, rest = [role(), thought("a")], [word("b")]
    stream = Line([role()], held, rest).stream()
    await stream.prime(VISIBLE)

    batches = [list(batch) async for batch in stream]

    assert batches == [[role()], held, rest]


async def test_a_stream_may_be_read_without_being_primed() -> None:
    """Priming is for those who want to try again; a stream can do without."""
    line = Line(role(), word())

    batches = [list(batch) async for batch in line.stream()]

    assert batches == [[role()], [word()]]
    assert line.released == 1


@pytest.mark.parametrize("script", [[], [role()], [role(), 5.0, usage(1, 0)]])
async def test_an_early_failure_can_be_tried_again(script: list[Sent]) -> None:
    """A failure before the commit comes out as it is, with the connection given back and nobody told of an ending."""
    error, witness = GatewayError(TARGET_UNAVAILABLE, "reset"), Witness()
    line = Line(*script, error)
    stream = line.stream()
    stream.when_done(witness)

    with pytest.raises(GatewayError) as caught:
        await stream.prime(VISIBLE)
    await stream.aclose()

    assert caught.value is error
    assert line.log[-2:] == ["ended", "released"]
    assert line.released == 1
    assert witness.told == []


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ([], None),
        ([role()], None),
        ([role(), usage(9, 0), role()], Usage(9, 0, 9)),
        ([[usage(9, 0), usage(9, 1), role()]], Usage(9, 1, 10)),
    ],
)
async def test_what_was_used_before_a_failure_is_known(script: list[Sent], told: Usage | None) -> None:
    """The last of what the provider said, for it charges for that although nobody will see it."""
    stream = Line(*script, GatewayError(TARGET_UNAVAILABLE, "reset")).stream()

    with pytest.raises(GatewayError):
        await stream.prime(VISIBLE)

    assert stream.held_usage == told


@pytest.mark.parametrize("script", [[], [role()]])
async def test_a_stream_that_ends_before_it_commits_has_failed(script: list[Sent]) -> None:
    """An upstream that closes politely without having said anything can be tried again like one that breaks."""
    line = Line(*script)

    with pytest.raises(GatewayError) as caught:
        await line.stream().prime(VISIBLE)

    assert caught.value.kind.again is errors.Again.HERE
    assert line.released == 1


async def test_a_connection_that_is_back_already() -> None:
    """A stream that came to its end has given its connection back itself, and there is nothing to wait for."""

    async def nothing() -> AsyncGenerator[Batch, None]:
        silence: tuple[Batch, ...] = ()
        for batch in silence:
            yield batch

    with pytest.raises(GatewayError):
        await EventStream(nothing(), lambda: None).prime(VISIBLE)


async def test_a_cancellation_while_priming_gives_the_connection_back() -> None:
    """A client that leaves before the commit frees the connection, and the task ends cancelled."""
    line = Line(role(), 1e9)
    task = asyncio.create_task(line.stream().prime(VISIBLE))
    await asyncio.sleep(5.0)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert line.log == ["sent", "ended", "released"]


async def test_a_bug_while_priming_gives_the_connection_back() -> None:
    """An exception that is no gateway error frees the connection, too."""
    line = Line(role(), ValueError("bug"))

    with pytest.raises(ValueError, match="bug"):
        await line.stream().prime(VISIBLE)

    assert line.released == 1


@pytest.mark.parametrize("kind", KINDS, ids=[kind.code for kind in KINDS])
def test_what_a_failure_is_called_after_the_commit(kind: Kind) -> None:
    """Broken connections and garbled events become a broken stream; every other failure keeps its name."""
    broken = kind.category in {"network", "parse"}

    assert after_commit(GatewayError(kind, "x")).kind is (STREAM_BROKEN if broken else kind)


def test_a_broken_stream_remembers_who_broke_it() -> None:
    """Message, provider and source survive the change of name."""
    told = after_commit(GatewayError(TARGET_UNAVAILABLE, "reset").answered_by("acme"))
    noticed = after_commit(GatewayError(TARGET_UNAVAILABLE, "reset").at("acme"))

    assert (told.message, told.provider, told.from_upstream) == ("reset", "acme", True)
    assert (noticed.message, noticed.provider, noticed.from_upstream) == ("reset", "acme", False)


async def failure_of(script: list[Sent]) -> GatewayError:
    """Read a stream that fails after its commit, and return the failure."""
    stream = aiter(Line(*script).stream())
    await anext(stream)
    with pytest.raises(GatewayError) as caught:
        await anext(stream)
    return caught.value


async def test_a_renamed_failure_names_its_cause() -> None:
    """The original failure is the cause of the broken stream."""
    error = GatewayError(TARGET_UNAVAILABLE, "reset")

    assert (await failure_of([word(), error])).__cause__ is error


async def test_a_failure_that_keeps_its_name_keeps_its_cause() -> None:
    """A failure that is not renamed comes out unchanged: it is not made its own cause, which loops whoever follows."""
    cause = OSError("reset")
    error = GatewayError(TARGET_FAILED, "no")
    error.__cause__ = cause

    caught = await failure_of([word(), error])

    assert caught is error
    assert caught.__cause__ is cause


async def test_frames_are_passed_on_untouched() -> None:
    """The very events that were read are those that go out."""
    sent: list[StreamEvent] = [role(), thought(), word(), usage(1, 2), done()]

    received = [event async for batch in Line(*sent).stream() for event in batch]

    assert all(out is into for out, into in zip(received, sent, strict=True))
