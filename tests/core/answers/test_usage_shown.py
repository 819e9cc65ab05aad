"""Showing the usage of a shared stream to those that asked for it, and to nobody else."""

from __future__ import annotations

import msgspec
import pytest

from app.core.answers.usage_shown import UsageShown, usage_hidden
from app.core.model import Chunk, Native, StreamEvent, Weight
from app.core.usage import CompletionTokensDetails, Usage
from tests.core.answers.making import DONE, framed
from tests.support.calls import chat_request, usage, word

NAMED = framed({"id": "x", "created": 1, "model": "m", "object": "chat.completion.chunk", "choices": []})
HIDDEN = StreamEvent(
    b"", Chunk(usage=Usage(1, 2, 3, None, CompletionTokensDetails(reasoning_tokens=1))), Weight.NOTHING
)


@pytest.mark.parametrize(
    ("options", "asks"), [(b"null", False), (b"{}", False), (b'{"include_usage":true}', True), (b'{"x":1}', False)]
)
def test_who_asks(options: bytes, asks: bool) -> None:
    """Only `include_usage: true` asks."""
    request = chat_request(b'{"model":"m","messages":[],"stream_options":%b}' % options)

    assert request.asks_for_usage is asks


def test_a_report_is_hidden_from_who_did_not_ask() -> None:
    """Its frame is empty, observers still see it; an event that says something besides, or nothing of it, stays."""
    both = framed({"choices": [{"delta": {"content": "x"}}], "usage": {"prompt_tokens": 1}})
    plain = [word("a"), both, HIDDEN, DONE]
    report = usage(1, 2)

    found = usage_hidden([word("a"), report, DONE])

    assert usage_hidden(plain) is plain
    assert [event.frame for event in found] == [word("a").frame, b"", DONE.frame]
    assert found[1].chunk == report.chunk


@pytest.mark.parametrize("together", [True, False])
def test_a_report_is_shown_to_who_asked(together: bool) -> None:
    """It gets the frame of the provider's own form, under the name of the answer."""
    show = UsageShown()
    events = [NAMED, HIDDEN, DONE]
    batches = [events] if together else [[event] for event in events]

    found = [event for batch in batches for event in show(batch)]

    assert [found[0], found[2]] == [NAMED, DONE]
    assert found[1].chunk == HIDDEN.chunk
    assert msgspec.json.decode(found[1].frame[6:]) == {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [],
        "usage": {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
    }


def test_what_is_shown_already_stays() -> None:
    """A provider's own report, events of another dialect and empty batches are left alone."""
    native = StreamEvent(b"", Chunk(usage=Usage(1, 2, 3)), Weight.NOTHING, native=Native("anthropic", b"x"))
    show = UsageShown()

    assert list(show([usage(1, 2), native])) == [usage(1, 2), native]
    assert list(show([])) == []


def test_a_report_without_anything_before_has_no_name() -> None:
    """It is shown all the same."""
    shown = UsageShown()([HIDDEN])

    assert msgspec.json.decode(shown[0].frame[6:]).keys() == {"choices", "usage"}
