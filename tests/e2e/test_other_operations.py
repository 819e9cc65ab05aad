"""Embeddings, completions, moderations, reranking, images and sound, through the running gateway."""

from __future__ import annotations

import io
from typing import Literal

import httpx2
import msgspec
import openai
import pytest

from tests.e2e.support.answers import in_turn, refused, streamed, whole
from tests.e2e.support.upstream import Exchange, Script, Upstream
from tests.support.gateway import GatewayProcess

IMAGE = b'{"created":1,"data":[{"b64_json":"aGk="}], "usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}'
SOUND = b"ID3" + bytes(range(256)) * 400


def sound(*parts: bytes, dies: bool = False, media_type: str = "audio/mpeg") -> Script:
    """Answer with sound in pieces."""

    def play(exchange: Exchange) -> None:
        exchange.begin(media_type=media_type)
        for part in parts:
            exchange.part(part)
        if dies:
            exchange.break_off()
        else:
            exchange.end()

    return play


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings(sdk: openai.OpenAI, encoding: Literal["float", "base64"]) -> None:
    """The SDK reads embeddings in either encoding, of one text, several, and tokens."""
    answers = [
        sdk.embeddings.create(model="sim/echo", input=given, encoding_format=encoding, dimensions=8)
        for given in ("hi", ["hi", "ho"], [1, 2], [[1], [2]])
    ]

    assert [len(answer.data) for answer in answers] == [1, 2, 1, 2]
    assert answers[0].usage.total_tokens == 1


def test_completions(sdk: openai.OpenAI) -> None:
    """Legacy completions come whole and streamed."""
    answer = sdk.completions.create(model="sim/echo", prompt="one two")
    chunks = list(sdk.completions.create(model="sim/echo", prompt="one two", stream=True))

    assert answer.choices[0].text == "one two"
    assert "".join(chunk.choices[0].text for chunk in chunks) == "one two"


def test_moderations(sdk: openai.OpenAI) -> None:
    """A text is moderated."""
    answer = sdk.moderations.create(model="sim/echo", input="such violence")

    assert answer.results[0].flagged


def test_moderations_without_a_model(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """OpenAI's own default is asked for where the SDK names none, and nothing else of the request is changed."""
    upstream.on("omni-moderation-latest", whole(b'{"results":[{"flagged":true}]}'))

    answer = sdk.moderations.create(input=["a", "b"], extra_body={"future": 1.50})

    assert answer.results[0].flagged
    sent = msgspec.json.decode(upstream.received("omni-moderation-latest")[-1].body)
    assert sent == {"model": "omni-moderation-latest", "input": ["a", "b"], "future": 1.5}


def test_rerank(http: httpx2.Client) -> None:
    """Documents are put in order."""
    body = {"model": "sim/echo", "query": "red cat", "documents": ["a dog", "a red cat"]}

    answer = http.post("/v1/rerank", json=body).json()

    assert [result["index"] for result in answer["results"]] == [1, 0]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("embeddings", b'{ "data" : [ ], "future": 1.50, "usage": {"prompt_tokens":3,"total_tokens":3} }\n'),
        ("completions", b'{ "choices" : [ {"text":"a", "odd": 1e2} ] }'),
        ("moderations", b'{ "results" : [ ] , "future": 1.50}'),
        ("rerank", b'{ "results" : [ ] , "meta": {"billed_units":{"search_units":1}}}'),
        ("images/generations", IMAGE),
    ],
)
def test_bodies_pass_untouched(http: httpx2.Client, upstream: Upstream, path: str, answer: bytes) -> None:
    """Both bodies are the very bytes that the other side sent, but for the model's name, whatever is in them."""
    upstream.on("plain", whole(answer))
    body = b'{ "future": 1.50e+1, "model":"box/plain", "input":"a" }'

    reply = http.post(f"/v1/{path}", content=body, headers={"content-type": "application/json"})

    received = upstream.received("plain")[0]
    assert reply.content == answer
    assert received.body == body.replace(b"box/plain", b"plain")
    assert received.path == f"/v1/{path}"


def test_a_failing_target_is_tried_again_and_left(http: httpx2.Client, upstream: Upstream) -> None:
    """What holds for chat holds here: retries at one target, and then the next one."""
    good = b'{"data":[],"usage":{"prompt_tokens":1,"total_tokens":1}}'
    upstream.on("first", refused(500))
    upstream.on("second", in_turn(refused(503), whole(good)))

    reply = http.post("/v1/embeddings", json={"model": "pair", "input": "a"})

    assert reply.content == good
    assert (reply.headers["x-wizard-model"], reply.headers["x-wizard-fallback"]) == ("second", "1")
    assert len(upstream.received("first")) == 3


def test_refusals_have_openais_form(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """The SDK raises what its users expect, with the provider's words where the request is to blame."""
    upstream.on("wrong", refused(400))

    with pytest.raises(openai.BadRequestError) as caught:
        sdk.embeddings.create(model="box/wrong", input="a", encoding_format="float")

    assert caught.value.body["message"] == "The provider says no."  # type: ignore[index]  # a dict


@pytest.mark.parametrize(("model", "asked"), [("box/whisper", "whisper"), ("pair", "first")])
def test_transcriptions(sdk: openai.OpenAI, upstream: Upstream, model: str, asked: str) -> None:
    """A recording reaches the provider byte for byte, with the model's name exchanged in the form."""
    upstream.on(asked, whole(b'{"text":"hello","usage":{"type":"duration","seconds":1}}'))
    recording = io.BytesIO(SOUND)
    recording.name = "a.mp3"

    answer = sdk.audio.transcriptions.create(model=model, file=recording, prompt="Ada")

    received = upstream.received(asked)[0]
    assert answer.text == "hello"
    assert SOUND in received.body
    assert received.headers["content-type"].startswith("multipart/form-data; boundary=")


def test_subtitles_keep_their_type(http: httpx2.Client, upstream: Upstream) -> None:
    """An answer that is no JSON is what the provider says that it is."""
    upstream.on("subtitles", lambda exchange: exchange.answer(b"1\n00:00", media_type="text/plain; charset=utf-8"))

    reply = http.post(
        "/v1/audio/transcriptions",
        data={"model": "box/subtitles", "response_format": "srt"},
        files={"file": ("a.mp3", SOUND)},
    )

    assert (reply.content, reply.headers["content-type"]) == (b"1\n00:00", "text/plain; charset=utf-8")


def test_streamed_transcriptions(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A transcript is streamed event by event."""
    events = (
        b'data: {"type":"transcript.text.delta","delta":"he"}\n\n',
        b'data: {"type":"transcript.text.done","text":"hello"}\n\n',
    )
    upstream.on("live", streamed(*events))

    stream = sdk.audio.transcriptions.create(model="box/live", file=("a.mp3", SOUND), stream=True)

    assert [event.type for event in stream] == ["transcript.text.delta", "transcript.text.done"]


def test_a_transcript_that_breaks_off_is_no_whole(http: httpx2.Client, upstream: Upstream) -> None:
    """A streamed transcript without its last event breaks the client's connection."""
    upstream.on("mumbles", streamed(b'data: {"type":"transcript.text.delta","delta":"he"}\n\n'))

    with pytest.raises(httpx2.RemoteProtocolError):
        http.post(
            "/v1/audio/transcriptions", data={"model": "box/mumbles", "stream": "true"}, files={"file": ("a", SOUND)}
        )


@pytest.mark.parametrize("media_type", ["application/json", "text/plain; charset=utf-8"])
def test_transcripts_of_models_without_streams(http: httpx2.Client, upstream: Upstream, media_type: str) -> None:
    """Models that leave `stream` unheeded, as whisper-1 does, answer whole, and that is what the caller gets."""
    upstream.on("deaf", lambda exchange: exchange.answer(b'{"text":"hello"}', media_type=media_type))

    reply = http.post(
        "/v1/audio/transcriptions", data={"model": "box/deaf", "stream": "true"}, files={"file": ("a.mp3", SOUND)}
    )

    assert (reply.status_code, reply.content) == (200, b'{"text":"hello"}')
    assert reply.headers["content-type"] == media_type


def test_a_stream_of_what_has_none(http: httpx2.Client) -> None:
    """The word means nothing to embeddings, so the answer is the usual one and no failure of its provider."""
    reply = http.post("/v1/embeddings", json={"model": "sim/echo", "input": "a", "stream": True})

    assert (reply.status_code, reply.json()["object"]) == (200, "list")


def test_image_edits(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """Pictures are edited with a form, and made with JSON."""
    upstream.on("paint", whole(IMAGE))

    edited = sdk.images.edit(model="box/paint", image=("a.png", b"\x89PNG"), prompt="bluer")
    made = sdk.images.generate(model="box/paint", prompt="a cat")

    assert edited.data is not None
    assert made.data == edited.data
    assert [received.path for received in upstream.received("paint")] == ["/v1/images/edits", "/v1/images/generations"]


@pytest.mark.parametrize("media_type", ["audio/mpeg", "application/ogg", "application/octet-stream"])
def test_speech(sdk: openai.OpenAI, upstream: Upstream, media_type: str) -> None:
    """Sound is passed on as it comes, under its own type."""
    upstream.on("voice", sound(SOUND[:1000], SOUND[1000:], media_type=media_type))

    answer = sdk.audio.speech.create(model="box/voice", voice="alloy", input="Hello.")

    assert answer.content == SOUND
    assert answer.response.headers["content-type"] == media_type


def test_sound_that_breaks_off_is_no_whole(http: httpx2.Client, upstream: Upstream) -> None:
    """A provider that leaves in the middle of a recording breaks the client's connection, and adds no word to it."""
    upstream.on("croak", sound(SOUND[:1000], dies=True))

    with pytest.raises(httpx2.RemoteProtocolError):
        http.post("/v1/audio/speech", json={"model": "box/croak", "input": "a", "voice": "b"})


def test_usage_is_counted(gateway: GatewayProcess, http: httpx2.Client) -> None:
    """What other operations take is counted like everything else."""
    before = gateway.metric("wizard_tokens_total", provider="sim", type="prompt")

    http.post("/v1/embeddings", json={"model": "sim/echo", "input": "a b c"})

    gateway.wait_for_metric("wizard_tokens_total", before + 3, provider="sim", type="prompt")


def test_a_body_may_be_as_large_as_any(http: httpx2.Client) -> None:
    """The bound of a body holds for forms, too."""
    reply = http.post("/v1/audio/transcriptions", data={"model": "box/big"}, files={"file": ("a.mp3", bytes(300_000))})

    assert reply.status_code == 413
    assert msgspec.json.decode(reply.content)["error"]["code"] == "body_too_large"


def test_every_operation_is_described(http: httpx2.Client) -> None:
    """The API's own description knows each of these routes."""
    paths = http.get("/openapi.json").json()["paths"]

    for path in ("completions", "embeddings", "moderations", "rerank", "images/edits", "audio/speech"):
        assert "post" in paths[f"/v1/{path}"]


def test_other_methods_are_refused(http: httpx2.Client) -> None:
    """These addresses take POST only, and say so."""
    reply = http.get("/v1/embeddings")

    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
