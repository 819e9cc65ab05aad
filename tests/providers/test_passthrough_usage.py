"""What answers that are passed on say of their usage."""

from __future__ import annotations

import pytest

from app.core.model import StreamEvent
from app.providers.own_secrets import Blotter
from app.providers.passthrough_usage import LOOKED_MAX_BYTES, Counted, DocumentDecoder, EventsDecoder, PassDecoder


def told(events: list[StreamEvent]) -> list[tuple[int, int]]:
    """Return the usages among events, as tokens of prompt and answer."""
    usages = [event.chunk.usage for event in events if event.chunk is not None]
    return [(usage.prompt_tokens, usage.completion_tokens) for usage in usages if usage is not None]


@pytest.mark.parametrize(
    ("document", "usage"),
    [
        (b'{"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}', (1, 2)),
        (b'{"object":"response","usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}', (1, 2)),
        (b'{"type":"message","usage":{"input_tokens":1,"cache_read_input_tokens":4,"output_tokens":2}}', (5, 2)),
        (b'{"usage":{"type":"duration","seconds":3}}', None),
        (b'{"usage":null}', None),
        (b'{"usage":[]}', None),
        (b'{"data":[]}', None),
        (b'{"type":"message","usage":"x"}', None),
        (b'["usage", "usage"]', None),
        (b'{"usage":', None),
        (b'{"usage":\xff}', None),
    ],
)
def test_documents(document: bytes, usage: tuple[int, int] | None) -> None:
    """OpenAI's forms, old and new, and Anthropic's are read; anything else tells nothing, and does no harm."""
    found = Counted().read(document)

    assert (None if found is None else (found.prompt_tokens, found.completion_tokens)) == usage


def test_a_document_in_pieces() -> None:
    """A document is read at its end, and passed on before."""
    decoder = DocumentDecoder(Blotter(()))

    events = [*decoder.feed(b'{"usage":{"prompt_tok'), *decoder.feed(b'ens":1,"completion_tokens":2}}'), *decoder.end()]

    assert [event.frame for event in events] == [b'{"usage":{"prompt_tok', b'ens":1,"completion_tokens":2}}', b""]
    assert (told(events), decoder.done) == ([(1, 2)], True)


def test_a_document_that_is_too_large_to_look_at() -> None:
    """It is passed on, and nobody reads it."""
    decoder, piece = DocumentDecoder(Blotter(())), b" " * (LOOKED_MAX_BYTES // 2 + 1)

    events = [event for part in (piece, piece, b'{"usage":{"prompt_tokens":1}}') for event in decoder.feed(part)]
    events += decoder.end()

    assert (len(events), told(events)) == (3, [])


@pytest.mark.parametrize(
    ("frames", "usages"),
    [
        ([b'data: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n', b"data: [DONE]\n\n"], [(1, 2)]),
        ([b'data: {"response":{"usage":{"input_tokens":1,"output_tokens":2}}}\n\n'], [(1, 2)]),
        (
            [
                b'data: {"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}\n\n',
                b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":9}}\n\n',
            ],
            [(5, 1), (5, 9)],
        ),
        ([b'data: {"usage":null}\n\n', b"data: usage\n\n", b'data: "usage"\n\n'], []),
    ],
)  # fmt: skip
def test_events(frames: list[bytes], usages: list[tuple[int, int]]) -> None:
    """Events are looked at however they are cut, and passed on as they came."""
    whole, cut = EventsDecoder(Blotter(())), EventsDecoder(Blotter(()))
    bytes_of_it = b"".join(frames)

    at_once = [event for frame in frames for event in whole.feed(frame)] + whole.end()
    one_by_one = [event for byte in bytes_of_it for event in cut.feed(bytes([byte]))] + cut.end()

    assert told(at_once) == told(one_by_one) == usages
    assert b"".join(event.frame for event in one_by_one) == bytes_of_it


def test_an_event_that_is_too_large_to_look_at() -> None:
    """It ends the looking, not the passing on."""
    decoder = EventsDecoder(Blotter(()))
    huge = b"data: " + b"x" * (LOOKED_MAX_BYTES + 1)

    events = [*decoder.feed(huge), *decoder.feed(b'\n\ndata: {"usage":{"prompt_tokens":1}}\n\n'), *decoder.end()]

    assert (len(events), told(events)) == (2, [])


def test_what_may_be_secret_waits_for_the_next_bytes() -> None:
    """A piece of which nothing can be shown yet is no event, and the end of the answer shows what was none."""
    decoder = PassDecoder(Blotter((b"secret",)))

    events = [decoder.feed(piece) for piece in (b"sec", b"tion, sec", b"ret, se")] + [decoder.end()]

    assert [[event.frame for event in each] for each in events] == [[], [b"section, "], [b"******, "], [b"se"]]


def test_an_answer_without_a_byte() -> None:
    """It is an answer, too."""
    decoder = PassDecoder(Blotter(()))

    (event,) = decoder.end()

    assert (event.frame, event.chunk, decoder.done) == (b"", None, True)
