"""Recordings and pictures that are handed on while they arrive, through the running gateway."""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx2
import openai
import pytest

from tests.e2e.conftest import PROVIDER_KEY, openai_client
from tests.e2e.support.answers import refused, streamed, whole
from tests.e2e.support.memory import memory_mb
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

MB = 1_000_000
SOUND = bytes(range(256)) * 12_000  # 3 MB
TEXT = b'{"text":"hello","usage":{"input_tokens":5,"output_tokens":1,"total_tokens":6}}'


def configuration(upstream: Upstream) -> dict[str, object]:
    """Return a configuration that holds little, and hands much on."""
    box = {"kind": "openai", "base_url": upstream.url, "api_key": PROVIDER_KEY}
    first, second = ({"provider": "box", "model": name} for name in ("first", "second"))
    return {
        "server": {"body_max_bytes": 2 * MB, "upload_max_bytes": 60 * MB},
        "providers": {"box": box},
        "models": {"pair": {"targets": [first, second]}},
        "retry": {"base_s": 0.01, "max_s": 0.01},
    }


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run the gateway."""
    with running(Start(configuration(upstream))) as process:
        yield process


@pytest.fixture
def sdk(gateway: GatewayProcess) -> Iterator[openai.OpenAI]:
    """Use OpenAI's SDK, which shall not try again."""
    with openai_client(f"{gateway.url}/v1") as client:
        yield client.with_options(max_retries=0)


def named(data: bytes) -> io.BytesIO:
    """Return a file of some name."""
    file = io.BytesIO(data)
    file.name = "a.mp3"
    return file


@pytest.mark.parametrize("model", ["box/loud", "pair"])
def test_a_recording_larger_than_what_is_held(sdk: openai.OpenAI, upstream: Upstream, model: str) -> None:
    """It arrives byte for byte, with the model's name exchanged and its length told."""
    asked = "loud" if model == "box/loud" else "first"
    upstream.on(asked, whole(TEXT))

    answer = sdk.audio.transcriptions.create(model=model, file=named(SOUND), language="en")

    received = upstream.received(asked)[0]
    assert answer.text == "hello"
    assert SOUND in received.body
    assert received.headers["content-length"] == str(len(received.body))


def test_pictures(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """Several files go the same way."""
    upstream.on("paint", whole(b'{"created":1,"data":[{"b64_json":"aGk="}]}'))

    edited = sdk.images.edit(model="box/paint", image=[("a.png", SOUND), ("b.png", SOUND[:1000])], prompt="bluer")

    assert edited.data is not None
    assert upstream.received("paint")[0].body.count(SOUND[:1000]) >= 2


def test_streamed_transcripts(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """The answer may be a stream all the same."""
    upstream.on("live", streamed(b'data: {"type":"transcript.text.done","text":"hello"}\n\n'))

    stream = sdk.audio.transcriptions.create(model="box/live", file=named(SOUND), stream=True)

    assert [event.type for event in stream] == ["transcript.text.done"]


def test_memory(sdk: openai.OpenAI, gateway: GatewayProcess, upstream: Upstream) -> None:
    """50 MB go through without being in memory."""
    upstream.on("huge", whole(TEXT))
    sdk.audio.transcriptions.create(model="box/huge", file=named(SOUND))
    before = memory_mb(gateway)

    sdk.audio.transcriptions.create(model="box/huge", file=named(bytes(50 * MB)))

    assert len(upstream.received("huge")[1].body) > 50 * MB
    assert memory_mb(gateway) - before < 15


def test_what_was_sent_is_not_sent_again(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A failure is the caller's to deal with: neither the same target nor the next one gets half a recording."""
    upstream.on("first", refused(503))
    upstream.on("second", whole(TEXT))

    with pytest.raises(openai.InternalServerError):
        sdk.audio.transcriptions.create(model="pair", file=named(SOUND))

    assert (len(upstream.received("first")), len(upstream.received("second"))) == (1, 0)


def test_small_forms_are_tried_again(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """What is held can be sent again."""
    upstream.on("first", refused(503))
    upstream.on("second", whole(TEXT))

    answer = sdk.audio.transcriptions.create(model="pair", file=named(SOUND[:1000]))

    assert answer.text == "hello"


def test_a_second_model_is_refused(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A form may not say one thing to the gateway and another to the provider, wherever it says it."""
    upstream.on("good", whole(TEXT))
    files: list[tuple[str, tuple[str | None, bytes | str]]] = [
        ("model", (None, "box/good")),
        ("file", ("a.mp3", SOUND)),
        ("model", (None, "bad")),
    ]

    reply = httpx2.post(f"{gateway.url}/v1/audio/transcriptions", files=files, **LOCAL)

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "model")
    assert upstream.received("good") == []


def test_a_form_with_its_file_first(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Who does not name the model before the file has it held, within the bound for that, and is told so."""
    upstream.on("last", whole(TEXT))
    url = f"{gateway.url}/v1/audio/transcriptions"
    model = ("model", (None, "box/last"))
    small, large = (
        httpx2.post(
            url,
            files=[("file", ("a.mp3", SOUND[:size])), model],
            **LOCAL,
        )
        for size in (1_500_000, 3_000_000)
    )

    assert small.json()["text"] == "hello"
    assert large.status_code == 413
    assert "before the file" in large.json()["error"]["suggestion"]


def test_a_form_of_unknown_length(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A form in chunks is held while it is small, and handed on when it is not; never beyond the bound."""
    upstream.on("chunks", whole(TEXT))
    head = (
        b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nbox/chunks\r\n'
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )

    def post(count: int) -> httpx2.Response:
        parts = (head, *[SOUND[:100_000]] * count, b"\r\n--x--\r\n")
        headers = {"content-type": "multipart/form-data; boundary=x"}
        url = f"{gateway.url}/v1/audio/transcriptions"
        return httpx2.post(url, content=iter(parts), headers=headers, **LOCAL)

    small, over = post(2), post(620)

    assert small.json()["text"] == "hello"
    assert over.status_code == 413


def test_forms_over_the_bound(gateway: GatewayProcess) -> None:
    """What says that it is too large is refused unread."""
    with httpx2.Client(**LOCAL) as client:
        request = client.build_request(
            "POST", f"{gateway.url}/v1/audio/transcriptions", data={"model": "box/x"}, files={"file": bytes(61 * MB)}
        )
        reply = client.send(request)

    assert reply.status_code == 413


@pytest.mark.parametrize("reader", ["redaction", "idempotency"])
def test_what_has_to_be_read_is_held(upstream: Upstream, reader: str) -> None:
    """Where something reads bodies, forms are held like any other, within the bound for that."""
    config = {**configuration(upstream), "redaction": {"enabled": reader == "redaction"}}
    headers = {"idempotency-key": "k"} if reader == "idempotency" else {}
    upstream.on("held", whole(TEXT))

    with running(Start(config)) as process, httpx2.Client(**LOCAL) as client:
        large, small = (
            client.post(
                f"{process.url}/v1/audio/transcriptions",
                data={"model": "box/held"},
                files={"file": ("a.mp3", SOUND[:size])},
                headers=headers,
            )
            for size in (3_000_000, 1_500_000)
        )

    assert (large.status_code, small.status_code) == (413, 200)
