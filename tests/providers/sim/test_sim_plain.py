"""The scripted provider's other operations: deterministic, and with all the faults of its scripts."""

from __future__ import annotations

import struct
from base64 import b64decode
from typing import Any

import msgspec
import pytest

from app.core.ports import HttpRequest
from app.providers.sim import SimUpstream
from tests.providers.sim.asking import ListedClock, replying, whole


@pytest.fixture
def sim() -> SimUpstream:
    """Return a provider on which nothing takes time."""
    return SimUpstream(ListedClock(), lambda: 0.5)


def plain(path: str, **fields: object) -> HttpRequest:
    """Return a request to one of the other operations."""
    body = msgspec.json.encode({"model": "echo", **fields})
    return HttpRequest("POST", f"http://sim/v1/{path}", (), body, 5.0)


async def answer(sim: SimUpstream, path: str, **fields: object) -> dict[str, Any]:
    """Return what it says."""
    found: dict[str, Any] = msgspec.json.decode(await whole(sim, plain(path, **fields)))
    return found


async def test_the_same_words_have_the_same_embedding(sim: SimUpstream) -> None:
    """An embedding depends on the words alone, has length 1, and lies near that of a text with the same words."""
    found = await answer(sim, "embeddings", input=["A red cat", "cat: RED, a", "a red dog", "nothing like it"])

    one, same, near, far = (item["embedding"] for item in found["data"])
    assert one == same
    assert sum(value * value for value in one) == pytest.approx(1)
    assert dot(one, near) > dot(one, far)
    assert found["usage"] == {"prompt_tokens": 12, "total_tokens": 12}


async def test_embeddings_come_in_either_encoding(sim: SimUpstream) -> None:
    """Packed floats are the same numbers as written ones."""
    written = await answer(sim, "embeddings", input="hi", dimensions=4)
    packed = await answer(sim, "embeddings", input="hi", dimensions=4, encoding_format="base64")

    floats = struct.unpack("<4f", b64decode(packed["data"][0]["embedding"]))
    assert list(floats) == pytest.approx(written["data"][0]["embedding"])


@pytest.mark.parametrize(("given", "count"), [("a", 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1], [2]], 2), ("", 1)])
async def test_takes_every_form_of_input(sim: SimUpstream, given: object, count: int) -> None:
    """A text, several, tokens, several lists of tokens, and nothing at all."""
    found = await answer(sim, "embeddings", input=given)

    assert len(found["data"]) == count


async def test_moderation_flags_by_name(sim: SimUpstream) -> None:
    """A text is flagged in the categories that it names."""
    found = await answer(sim, "moderations", input=["all good", "so much Violence", {"type": "text", "text": "hate"}])

    flagged = [[name for name, is_so in result["categories"].items() if is_so] for result in found["results"]]
    assert flagged == [[], ["violence"], ["hate"]]
    assert [result["flagged"] for result in found["results"]] == [False, True, True]


async def test_rerank_counts_shared_words(sim: SimUpstream) -> None:
    """The document with most of the query's words comes first; equals stay in order."""
    documents = ["a dog", {"text": "the red cat"}, "red", "cat"]

    found = await answer(sim, "rerank", query="red cat", documents=documents, top_n=3, return_documents=True)

    assert [result["index"] for result in found["results"]] == [1, 2, 3]
    assert found["results"][0] == {"index": 1, "relevance_score": 1.0, "document": {"text": "the red cat"}}


async def test_null_is_as_if_the_member_were_not_there(sim: SimUpstream) -> None:
    """Clients that write every member send null where they want the usual."""
    vector = await answer(sim, "embeddings", input="a", encoding_format=None, dimensions=None)
    ranking = await answer(sim, "rerank", query="a", documents=["a"], top_n=None, return_documents=None)

    assert len(vector["data"][0]["embedding"]) == 64
    assert ranking["results"] == [{"index": 0, "relevance_score": 1.0}]


async def test_completions_are_text(sim: SimUpstream) -> None:
    """A legacy completion echoes its prompt."""
    found = await answer(sim, "completions", prompt=["one two three"], max_tokens=2)

    assert found["object"] == "text_completion"
    assert found["choices"] == [{"index": 0, "text": "one two ", "logprobs": None, "finish_reason": "length"}]


@pytest.mark.parametrize(("most", "said"), [(2, ["all good ", "all good "]), (0, ["", ""])])
async def test_an_echo_is_the_prompt_before_the_text(sim: SimUpstream, most: int, said: list[str]) -> None:
    """Of each choice; it counts as prompt alone, and `max_tokens` cuts only what follows, down to nothing."""
    asked = {"model": "words?words=5", "prompt": ["one two: ", "three: "], "echo": True, "max_tokens": most}

    found = await answer(sim, "completions", **asked)
    frames = (await whole(sim, plain("completions", **asked, stream=True))).split(b"\n\n")[:-2]

    texts = {choice["index"]: choice["text"] for choice in found["choices"]}
    assert texts == {0: f"one two: {said[0]}", 1: f"three: {said[1]}"}
    assert {choice["finish_reason"] for choice in found["choices"]} == {"length"}
    assert (found["usage"]["prompt_tokens"], found["usage"]["completion_tokens"]) == (3, 2 * most)
    streamed = {0: "", 1: ""}
    for choice in [choice for frame in frames for choice in msgspec.json.decode(frame[6:])["choices"]]:
        streamed[choice["index"]] += choice["text"]
    assert streamed == texts


@pytest.mark.parametrize("prompt", [["1 2 3", "4"], [[1, 2, 3], [4]]], ids=["texts", "tokens"])
async def test_each_prompt_has_its_choices(sim: SimUpstream, prompt: object) -> None:
    """Several prompts are answered one after the other, each as often as asked for, whole and streamed."""
    found = await answer(sim, "completions", prompt=prompt, n=2)
    frames = (await whole(sim, plain("completions", prompt=prompt, n=2, stream=True))).split(b"\n\n")[:-2]

    texts = {choice["index"]: choice["text"] for choice in found["choices"]}
    assert texts == {0: "1 2 3", 1: "1 2 3", 2: "4", 3: "4"}
    assert (found["usage"]["prompt_tokens"], found["usage"]["completion_tokens"]) == (4, 8)
    streamed: dict[int, str] = {}
    for choice in [choice for frame in frames for choice in msgspec.json.decode(frame[6:])["choices"]]:
        streamed[choice["index"]] = streamed.get(choice["index"], "") + choice["text"]
    assert streamed == texts


async def test_completions_are_streamed(sim: SimUpstream) -> None:
    """A legacy stream is made of text, and ends like any other."""
    request = plain("completions", prompt="one two", stream=True, stream_options={"include_usage": True})

    frames = (await whole(sim, request)).split(b"\n\n")[:-1]

    texts = [choice["text"] for frame in frames[:-1] for choice in msgspec.json.decode(frame[6:])["choices"]]
    assert texts == ["one ", "two", ""]
    assert msgspec.json.decode(frames[-2][6:])["usage"]["completion_tokens"] == 2
    assert frames[-1] == b"data: [DONE]"


@pytest.mark.parametrize(
    ("request_", "status", "param"),
    [
        (plain("embeddings", model="fail?status=503", input="x"), 503, None),
        (plain("embeddings"), 400, "input"),
        (plain("embeddings", input=[]), 400, "input"),
        (plain("embeddings", input="x", encoding_format="hex"), 400, "encoding_format"),
        (plain("completions", prompt=[]), 400, "prompt"),
        (plain("images/generations", prompt="x"), 404, None),
    ],
)
async def test_refusals(sim: SimUpstream, request_: HttpRequest, status: int, param: str | None) -> None:
    """Scripted faults hold for every operation, and what it cannot do is refused, by the name of the field."""
    async with replying(sim, request_) as reply:
        body = b"".join([chunk async for chunk in reply.chunks()])

    assert (reply.status, msgspec.json.decode(body)["error"]["param"]) == (status, param)


def dot(one: list[float], other: list[float]) -> float:
    """Return how near two directions are."""
    return sum(a * b for a, b in zip(one, other, strict=True))
