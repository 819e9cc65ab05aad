"""Streams report their usage to the gateway, and to clients that asked for it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.call import Target
from app.core.errors import INVALID_REQUEST, TARGET_FAILED, UNPROCESSABLE, GatewayError, Kind
from app.core.model import Completion, Operation, PlainRequest, Request
from app.core.ports import Codec
from app.providers.openai.codec import OpenAiCodec
from app.providers.openai.stream_usage import AskingCodec, StreamUsage, made_to_ask
from tests.support.calls import asking, chat_request

TARGET = Target("acme", "fast")
ASKING = {"include_usage": True}
HELLO = b'data: {"choices":[{"delta":{"content":"Hello"}}],"usage":null}\n\n'
STOP = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}\n\n'
BOTH = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"total_tokens":4}}\n\n'
DONE = b"data: [DONE]\n\n"


def codec_for(request: Request, usage: StreamUsage | None = None) -> Codec:
    """Return what speaks for a request to a provider that is asked."""
    asked = (usage or StreamUsage(asking=True)).is_for(request)
    return AskingCodec(OpenAiCodec()) if asked else OpenAiCodec()


def sent(request: Request, usage: StreamUsage | None = None) -> bytes:
    """Return the body that goes to the provider."""
    return codec_for(request, usage).encode(request, TARGET).body


def shown(request: Request, *frames: bytes) -> tuple[bytes, list[int]]:
    """Return what a client sees of a stream, and the totals that observers see."""
    decoder = codec_for(request).decoder(request)
    events = [event for frame in frames for event in decoder.feed(frame)]
    events += [] if decoder.done else decoder.end()
    totals = [event.chunk.usage.total_tokens for event in events if event.chunk is not None and event.chunk.usage]
    return b"".join(event.frame for event in events), totals


def test_a_stream_is_made_to_ask() -> None:
    """One member more at its end; every other byte is the client's."""
    start = b'{"model":"fast",  "messages":[],"stream":true, "future": 1e2 '

    body = sent(chat_request(start + b"}  \n"))

    assert body == start + b',"stream_options":{"include_usage":true}}'


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"stream": True, "stream_options": None}, ASKING),
        ({"stream": True, "stream_options": {"include_usage": False, "x": 1}}, {"x": 1, **ASKING}),
        ({"stream": True, "stream_options": {"x": 1}}, {"x": 1, **ASKING}),
        ({"stream": True, "stream_options": ASKING}, ASKING),
        ({"stream": True, "metadata": {"stream_options": 1}}, ASKING),
    ],
)
def test_its_own_options_are_kept(fields: dict[str, object], options: dict[str, object]) -> None:
    """Whatever else they say."""
    body = msgspec.json.decode(sent(asking(**fields)))  # type: ignore[arg-type] # of the body

    assert body["stream_options"] == options
    assert body["messages"][0]["content"] == "hi"


@pytest.mark.parametrize(
    "request_",
    [asking(), asking(stream=False), asking(stream=True, stream_options=ASKING)],
    ids=["whole", "explicitly whole", "asked already"],
)
def test_who_need_not_ask_is_left_alone(request_: Request) -> None:
    """Whole answers tell it anyway."""
    assert sent(request_) == request_.raw


def test_a_provider_that_is_not_to_be_asked_is_not() -> None:
    """`usage_in_streams: never`."""
    request = asking(stream=True)

    assert sent(request, StreamUsage(asking=False)) == request.raw


@given(st.text(max_size=30).map(lambda text: {"model": "m", "messages": [], "stream": True, "k": text}))
def test_any_body_stays_json(body: dict[str, object]) -> None:
    """And says the same beside what is asked."""
    made = msgspec.json.decode(made_to_ask(msgspec.json.encode(body)))

    assert made == {**body, "stream_options": ASKING}


def test_a_client_that_did_not_ask_does_not_see_it() -> None:
    """Observers do, before the end."""
    frames, totals = shown(asking(stream=True), HELLO, STOP, USAGE, DONE)

    assert (frames, totals) == (HELLO + STOP + DONE, [4])


def test_a_client_that_asked_sees_it() -> None:
    """As the provider sent it."""
    frames, totals = shown(asking(stream=True, stream_options=ASKING), HELLO, STOP, USAGE, DONE)

    assert (frames, totals) == (HELLO + STOP + USAGE + DONE, [4])


def test_completions_are_made_to_ask() -> None:
    """As chats are; streams of other operations are left alone."""
    legacy = PlainRequest(Operation.COMPLETIONS, "fast", b'{"model":"fast"}', stream=True, asks_for_usage=False)
    picture = PlainRequest(Operation.IMAGES, "fast", b'{"model":"fast"}', stream=True)
    end = b'data: {"choices":[{"text":"","finish_reason":"stop"}]}\n\n'

    frames, totals = shown(legacy, end, USAGE, DONE)

    assert msgspec.json.decode(sent(legacy))["stream_options"] == ASKING
    assert sent(picture) == picture.raw
    assert (frames, totals) == (end + DONE, [4])


def test_an_event_that_tells_more_than_usage_is_shown() -> None:
    """Some providers put it into the last piece of the answer."""
    frames, totals = shown(asking(stream=True), HELLO, BOTH, DONE)

    assert (frames, totals) == (HELLO + BOTH + DONE, [4])


def test_a_stream_that_ends_early_is_still_broken() -> None:
    """The end is judged as before."""
    with pytest.raises(GatewayError, match="ended before the answer was complete"):
        shown(asking(stream=True), HELLO)


@pytest.mark.parametrize(
    ("kind", "message", "param", "refused"),
    [
        (INVALID_REQUEST, "Unknown field stream_options.", None, True),
        (UNPROCESSABLE, "Extra inputs are not permitted.", "stream_options", True),
        (INVALID_REQUEST, "messages is empty", "messages", False),
        (TARGET_FAILED, "stream_options broke it", None, False),
    ],
)
def test_a_provider_may_refuse_to_be_asked(kind: Kind, message: str, param: str | None, refused: bool) -> None:
    """Then it is asked no more; other failures change nothing."""
    usage = StreamUsage(asking=True)
    request = asking(stream=True)

    found = usage.refused(request, GatewayError(kind, message, param=param))

    assert found == refused
    assert (sent(request, usage) == request.raw) == refused


def test_what_the_client_asked_itself_is_its_own_affair() -> None:
    """The provider's refusal is then the answer."""
    usage = StreamUsage(asking=True)

    assert not usage.refused(
        asking(stream=True, stream_options=ASKING), GatewayError(INVALID_REQUEST, "stream_options")
    )


def test_everything_else_is_the_codecs() -> None:
    """Whole answers, errors and other operations pass through."""
    wrapped = AskingCodec(OpenAiCodec())
    body = b'{"choices":[{"finish_reason":"stop"}],"usage":{"total_tokens":4}}'
    plain = PlainRequest(Operation.EMBEDDINGS, "m", b"{}", stream=True)

    completion = wrapped.decode(body, asking())

    assert completion == Completion(body, completion.usage, ("stop",))
    assert wrapped.error(404, {}, b"", 0.0).kind == OpenAiCodec().error(404, {}, b"", 0.0).kind
    assert not StreamUsage(asking=True).is_for(plain)
