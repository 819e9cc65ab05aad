"""What the tests of the dialects share: calls as the edge makes them, and answers as a provider sends them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from app.core.call import Call, Journal, Target
from app.core.model import Completion, Request, StreamEvent
from app.providers.openai.codec import OpenAiCodec
from tests.support.calls import a_call, asking

GOLDEN = Path(__file__).parents[1] / "golden"


def call_of(request: Request) -> Call:
    """Return the call that the edge makes of a request, once a target was chosen."""
    journal = Journal(target=Target("box", "gpt-x"))
    return msgspec.structs.replace(a_call(request), id="req_0a1b", journal=journal)


def completion_of(given: object) -> Completion:
    """Return a whole answer as a provider of OpenAI's form sends it."""
    return OpenAiCodec().decode(json.dumps(given).encode(), asking())


def events_of(raw: bytes) -> list[StreamEvent]:
    """Return a streamed answer as a provider of OpenAI's form sends it."""
    return OpenAiCodec().decoder(asking()).feed(raw)


def streams_in(folder: Path) -> list[str]:
    """Return the names of the recorded streams."""
    return sorted(path.name.removesuffix(".chat.sse") for path in folder.glob("*.chat.sse"))
