"""The OpenAI codec's other operations: requests go through as they are, answers are read for what they took."""

from __future__ import annotations

import pytest

from app.core.call import Target
from app.core.errors import BAD_UPSTREAM_REPLY, TARGET_FAILED, TARGET_UNAVAILABLE, GatewayError
from app.core.model import Operation, PlainRequest, StreamEvent
from app.core.usage import Usage
from app.providers.openai.codec import OpenAiCodec

FORM_TYPE = "multipart/form-data; boundary=xyz"
FORM = b'--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--xyz--\r\n'


def asked(operation: Operation, raw: bytes = b'{"model":"m"}', path: str = "", *, stream: bool = False) -> PlainRequest:
    """Return a request as the edge makes it."""
    return PlainRequest(operation, "m", raw, stream=stream, path=path)


def events(operation: Operation, data: bytes, raw: bytes = b"{}") -> list[StreamEvent]:
    """Return the events of a whole stream."""
    decoder = OpenAiCodec().decoder(asked(operation, raw, stream=True))
    return decoder.feed(data) + decoder.end()


@pytest.mark.parametrize(
    ("operation", "path", "expected"),
    [
        (Operation.EMBEDDINGS, "", "/embeddings"),
        (Operation.IMAGES, "images/edits", "/images/edits"),
        (Operation.SPEECH, "audio/speech", "/audio/speech"),
    ],
)
def test_asks_at_the_operations_address(operation: Operation, path: str, expected: str) -> None:
    """The address is the one that the client used, and the body its own."""
    request = asked(operation, b'{ "future": 1.0e+2, "model":"m" }', path)

    same, other = (OpenAiCodec().encode(request, Target("p", model)) for model in ("m", "n"))

    assert (same.path, same.body, same.headers) == (expected, request.raw, ())
    assert other.body == b'{ "future": 1.0e+2, "model":"n" }'


def test_a_form_keeps_its_boundary() -> None:
    """A form is sent with the content type that it came with, and only its model is exchanged."""
    request = PlainRequest(Operation.TRANSCRIPTIONS, "m", FORM, media_type=FORM_TYPE)

    same, other = (OpenAiCodec().encode(request, Target("p", model)) for model in ("m", "n"))

    assert (same.body, same.headers) == (FORM, (("content-type", FORM_TYPE),))
    assert other.body == FORM.replace(b"\r\n\r\nm\r\n", b"\r\n\r\nn\r\n")


@pytest.mark.parametrize(
    ("operation", "body", "usage"),
    [
        (Operation.EMBEDDINGS, b'{"data":[],"usage":{"prompt_tokens":3,"total_tokens":3}}', Usage(3, 0, 3)),
        (Operation.COMPLETIONS, b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}', Usage(3, 2, 5)),
        (Operation.MODERATIONS, b'{"results":[]}', None),
        (Operation.RERANK, b'{"results":[],"usage":{"total_tokens":9}}', Usage(9, 0, 9)),
        (Operation.RERANK, b'{"results":[],"usage":null}', None),
        (
            Operation.IMAGES,
            b'{"data":[],"usage":{"input_tokens":4,"output_tokens":5,"total_tokens":9}}',
            Usage(4, 5, 9),
        ),
        (Operation.TRANSCRIPTIONS, b'{"text":"a","usage":{"type":"duration","seconds":3}}', None),
        (Operation.TRANSCRIPTIONS, b'{"text":"a","usage":"odd"}', None),
        (Operation.TRANSCRIPTIONS, b"1\n00:00:00,000 --> 00:00:01,000\nHi\n", None),
    ],
)
def test_reads_answers(operation: Operation, body: bytes, usage: Usage | None) -> None:
    """The answer is kept byte for byte; what it took is known if it was counted in tokens."""
    completion = OpenAiCodec().decode(body, asked(operation))

    assert (completion.raw, completion.usage) == (body, usage)


@pytest.mark.parametrize(
    ("choices", "reasons"),
    [
        (b'[{"text":"a","finish_reason":"stop"},{"text":"b","finish_reason":"length"}]', ("stop", "length")),
        (b'[{"text":"a","finish_reason":null},{"text":"b"}]', ()),
        (b'[{"text":"a","finish_reason":7}]', ()),
        (b'["odd"]', ()),
    ],
)
def test_why_a_completion_ended(choices: bytes, reasons: tuple[str, ...]) -> None:
    """The reasons are those of the choices; a choice without one, or an odd one, is no error."""
    body = b'{"choices":' + choices + b"}"

    completion = OpenAiCodec().decode(body, asked(Operation.COMPLETIONS))

    assert (completion.raw, completion.finish_reasons) == (body, reasons)


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (Operation.EMBEDDINGS, b"{}"),
        (Operation.EMBEDDINGS, b'{"data":{}}'),
        (Operation.EMBEDDINGS, b"<html>"),
        (Operation.EMBEDDINGS, b'{"data":["\xff"]}'),
        (Operation.TRANSCRIPTIONS, b'{"text":'),
    ],
)
def test_refuses_what_is_no_answer(operation: Operation, body: bytes) -> None:
    """An answer without what it is for is the provider's fault."""
    with pytest.raises(GatewayError) as caught:
        OpenAiCodec().decode(body, asked(operation))

    assert caught.value.kind is BAD_UPSTREAM_REPLY


@pytest.mark.parametrize("operation", [Operation.EMBEDDINGS, Operation.TRANSCRIPTIONS])
def test_an_error_with_status_200_is_an_error(operation: Operation) -> None:
    """A body with an `error` member is a failure, whatever the status said."""
    with pytest.raises(GatewayError) as caught:
        OpenAiCodec().decode(b'{"error":{"message":"no"}}', asked(operation))

    assert caught.value.kind is TARGET_FAILED


def test_streams_text() -> None:
    """A legacy stream has its text, its usage and its `[DONE]`, and is forwarded as it came."""
    data = (
        b'data: {"choices":[{"index":0,"text":"Hi","finish_reason":null}]}\n\n'
        b'data: {"choices":[{"index":0,"text":"","finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n'
        b"data: [DONE]\n\n"
    )

    found = events(Operation.COMPLETIONS, data)

    assert b"".join(event.frame for event in found) == data
    assert [event.weight.name for event in found] == ["ANSWER", "ANSWER", "ANSWER"]
    assert found[0].chunk is not None
    assert found[0].chunk.choices[0].delta.content == "Hi"
    assert found[-1].done


@pytest.mark.parametrize("ending", [b"", b"data: [DONE]\n\n"])
def test_streams_typed_events(ending: bytes) -> None:
    """A stream of typed events is forwarded with the events' names, and its usage is known."""
    data = (
        b'event: transcript.text.delta\ndata: {"type":"transcript.text.delta","delta":"Hi"}\n\n'
        b'event: transcript.text.done\ndata: {"type":"transcript.text.done","text":"Hi",'
        b'"usage":{"input_tokens":7,"output_tokens":2,"total_tokens":9}}\n\n'
    ) + ending

    found = events(Operation.TRANSCRIPTIONS, data)

    assert b"".join(event.frame for event in found) == data
    assert found[1].chunk is not None
    assert found[1].chunk.usage == Usage(7, 2, 9)


def test_streams_sound() -> None:
    """Sound is passed on as it comes."""
    found = events(Operation.SPEECH, b"ID3\x00\xff")

    assert [event.frame for event in found] == [b"ID3\x00\xff"]


@pytest.mark.parametrize(
    ("operation", "data"),
    [
        (Operation.COMPLETIONS, b'data: {"choices":[{"text":"Hi"}]}\n\n'),
        (Operation.IMAGES, b'data: {"type":"image_generation.partial_image"}\n\n'),
        (Operation.SPEECH, b'data: {"type":"speech.audio.delta","audio":""}\n\n'),
    ],
)
def test_a_stream_that_breaks_off_has_failed(operation: Operation, data: bytes) -> None:
    """A stream without its last event is not taken for a complete answer."""
    with pytest.raises(GatewayError) as caught:
        events(operation, data, b'{"stream_format":"sse"}')

    assert caught.value.kind is TARGET_UNAVAILABLE


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'data: {"type":"error","error":{"code":"rate_limit_exceeded"}}\n\n', "target_rate_limited"),
        (b"data: {\n\n", "bad_upstream_reply"),
        (b'data: {"type":"\xff"}\n\n', "bad_upstream_reply"),
    ],
)
def test_errors_in_a_typed_stream(data: bytes, code: str) -> None:
    """An event that is an error ends the stream as what it says, and one that is none as the provider's fault."""
    with pytest.raises(GatewayError) as caught:
        events(Operation.IMAGES, data)

    assert caught.value.kind.code == code
