"""From a stream to the whole answer, and back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.answers.assemble import Assembler
from app.core.answers.replay import PIECE_CHARS, replay
from app.core.model import Completion, StreamEvent, Weight
from app.core.usage import Usage
from app.providers.openai.codec import OpenAiCodec
from tests.core.answers.making import DONE, answers, completion_of, framed
from tests.support.calls import asking

PLENTY = 10**9
GOLDEN = Path(__file__).parents[2] / "providers" / "golden" / "openai" / "streams"
COMPLETE = [path for path in sorted(GOLDEN.glob("*.sse")) if "error" not in path.stem]


def assembled(events: Iterable[StreamEvent], max_bytes: int = PLENTY) -> Assembler:
    """Let an assembler see events."""
    assembler = Assembler(max_bytes)
    for event in events:
        assembler.observe([event])
    return assembler


def whole(events: Iterable[StreamEvent]) -> Any:  # noqa: ANN401 - a body
    """Return the body that events add up to."""
    completion = assembled(events).completion()
    assert completion is not None
    return msgspec.json.decode(completion.raw)


def chunk(**delta: object) -> StreamEvent:
    """Return a piece of the only choice."""
    return framed({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


def finish(reason: str = "stop") -> StreamEvent:
    """Return the end of the only choice."""
    return framed({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


def message(*events: StreamEvent) -> Any:  # noqa: ANN401 - part of a body
    """Return the message that events add up to."""
    return whole([*events, finish(), DONE])["choices"][0]["message"]


def cut(event: StreamEvent, places: list[int]) -> list[StreamEvent]:
    """Cut the text of an event into two, if it has one."""
    payload = msgspec.json.decode(event.frame[6:])
    for choice in payload["choices"]:
        for name, text in choice.get("delta", {}).items():
            if name != "role" and isinstance(text, str) and len(text) > 1 and not choice.get("logprobs"):
                place = 1 + places.pop() % (len(text) - 1)
                rest = {**choice, "delta": {name: text[place:]}}
                choice["delta"][name] = text[:place]
                return [framed(payload), framed({**payload, "choices": [rest]})]
    return [event]


@given(answers())
def test_a_replayed_answer_adds_up_to_itself(body: dict[str, Any]) -> None:
    """
    Whatever a whole answer carries is in its stream, and found there.
    """
    completion = completion_of(body)

    found = assembled(replay(completion, include_usage=True)).completion()

    assert found is not None
    assert msgspec.json.decode(found.raw) == body
    assert (found.usage, found.finish_reasons) == (completion.usage, completion.finish_reasons)


@given(answers(), st.data())
def test_it_does_not_matter_where_a_text_was_cut(body: dict[str, Any], data: st.DataObject) -> None:
    """
    However a stream cuts its texts, the answer is the same.
    """
    events = replay(completion_of(body), include_usage=True)[:-1]
    places = data.draw(st.lists(st.integers(0, 999), min_size=len(events), max_size=len(events)))

    pieces = [piece for event in events for piece in cut(event, places)]

    assert whole([*pieces, DONE]) == body


@pytest.mark.parametrize("path", COMPLETE, ids=lambda path: path.stem)
def test_streams_of_real_providers_add_up(path: Path) -> None:
    """
    Of every stream that ends properly, the codec understands the whole answer, with all of its text.
    """
    codec = OpenAiCodec()
    decoder = codec.decoder(asking())
    events = decoder.feed(path.read_bytes())

    found = assembled(events).completion()

    assert found is not None
    again = codec.decode(found.raw, asking())
    assert (again.usage, again.finish_reasons) == (found.usage, found.finish_reasons)
    deltas = [choice.delta for event in events if event.chunk for choice in event.chunk.choices]
    for text in [delta.content for delta in deltas if isinstance(delta.content, str)]:
        assert text in found.raw.decode()
    assert whole(replay(found, include_usage=True)) == msgspec.json.decode(found.raw)


pieces = st.text(st.sampled_from('ab"\\\n\u00e9\U0001f600{}[]:,'), max_size=6)
oddities: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    (
        {},
        {"logprobs": None},
        {"token_ids": [1]},
        {"logprobs": {"content": [{"token": "x"}]}},
        {"index": 1},
    )
)


@given(st.lists(st.tuples(pieces, oddities), min_size=1, max_size=30))
def test_frames_that_are_much_alike_add_up_like_any(said: list[tuple[str, dict[str, Any]]]) -> None:
    """The short way for pieces of text that differ in nothing else leads where the long way does."""
    events = [
        framed({"id": "x", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None, **odd}]})
        for text, odd in said
    ]
    spaced = [
        StreamEvent(event.frame.replace(b'"content":"', b'"content" : "'), event.chunk, event.weight)
        for event in events
    ]

    short, long = whole([*events, finish(), DONE]), whole([*spaced, finish(), DONE])

    assert short == long
    for index, choice in enumerate(short["choices"]):
        texts = [text for text, odd in said if odd.get("index", 0) == choice["index"]]
        assert choice["message"]["content"] == ("".join(texts) if texts else None), index


def test_tool_calls_of_two_choices_are_told_apart() -> None:
    """
    Arguments are joined by choice and index, in whatever order their pieces come.
    """

    def piece(choice: int, index: int, arguments: str, **more: object) -> StreamEvent:
        call = {"index": index, "function": {"arguments": arguments}, **more}
        return framed({"choices": [{"index": choice, "delta": {"tool_calls": [call]}}]})

    ends = [framed({"choices": [{"index": n, "delta": {}, "finish_reason": "tool_calls"}]}) for n in (0, 1)]

    body = whole(
        [piece(0, 1, "b", id="y"), piece(1, 0, "c", id="z"), piece(0, 0, "a", id="x"), piece(0, 1, "b"), *ends, DONE]
    )

    found = [
        [(call["id"], call["function"]["arguments"]) for call in c["message"]["tool_calls"]] for c in body["choices"]
    ]
    assert found == [[("x", "a"), ("y", "bb")], [("z", "c")]]


def test_another_id_is_another_call() -> None:
    """
    Servers that give every call the index 0 are understood by the ids; an id that is repeated begins nothing.
    """
    calls = [("one", "{"), ("one", "}"), ("two", "{}"), (None, " ")]

    found = message(*[chunk(tool_calls=[{"id": name, "function": {"arguments": text}}]) for name, text in calls])

    assert [(call["id"], call["function"]["arguments"]) for call in found["tool_calls"]] == [
        ("one", "{}"),
        ("two", "{} "),
    ]


def test_content_in_parts_is_continued() -> None:
    """
    Text parts are joined across events, also with plain text before and after them; other parts stay apart.
    """
    image = {"type": "image_url", "image_url": {"url": "x"}}
    pieces: list[Any] = ["", "so ", "", [{"type": "text", "text": "be"}], " it", "", [image], [image, image], ["odd"]]

    found = message(*[chunk(content=piece) for piece in pieces])

    assert found["content"] == [{"type": "text", "text": "so be it"}, image, image, image, "odd"]


def test_thoughts_in_parts_are_continued() -> None:
    """
    Nested parts, as Mistral sends them, are joined; an empty text before a list leaves nothing behind.
    """
    parts = [[{"type": "thinking", "thinking": [{"type": "text", "text": text}]}] for text in ("A ", "greeting.")]

    found = message(chunk(role="assistant", content=""), *[chunk(content=part) for part in parts], chunk(content="Hi"))

    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "A greeting."}]}
    assert found["content"] == [thinking, {"type": "text", "text": "Hi"}]


def test_details_are_continued_by_index() -> None:
    """
    Members of an unknown list belong together if they have the same index and type.
    """
    details: list[Any] = [
        {"index": 0, "type": "reasoning.text", "text": "I "},
        {"index": 1, "type": "reasoning.text", "text": "You "},
        {"index": 0, "type": "reasoning.text", "text": "am", "signature": "s"},
        {"index": 0, "type": "reasoning.encrypted", "data": "d"},
    ]

    found = message(*[chunk(reasoning_details=[detail]) for detail in details])

    first = {"index": 0, "type": "reasoning.text", "text": "I am", "signature": "s"}
    assert found["reasoning_details"] == [first, details[1], details[3]]


def test_what_says_nothing_replaces_nothing() -> None:
    """
    Empty heads, as Azure sends them, do not wipe out what another chunk says; nor does a null, nor padding.
    """
    head = {"id": "", "object": "", "created": 0, "model": "", "obfuscation": "xyz", "seen": ["a"]}
    named = {"id": "x", "object": "chat.completion.chunk", "created": 5, "model": "m", "seen": []}

    found = whole([framed(head | {"choices": None}), framed(named | {"choices": [{"delta": None}]}), finish(), DONE])

    assert found == {
        "id": "x",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "seen": ["a"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": "stop"}],
    }


def test_the_last_usage_counts() -> None:
    """
    A usage that grows from chunk to chunk is not added up; one that cannot be read is kept and not counted.
    """
    counts = [{"prompt_tokens": 3, "completion_tokens": n, "total_tokens": 3 + n} for n in (1, 2)]

    grown = assembled([chunk(content="x"), *[framed({"usage": count}) for count in counts], DONE]).completion()
    odd = assembled([chunk(content="x"), framed({"usage": {"prompt_tokens": "many"}}), DONE]).completion()

    assert grown is not None
    assert odd is not None
    assert grown.usage == Usage(3, 2, 5)
    assert (odd.usage, msgspec.json.decode(odd.raw)["usage"]) == (None, {"prompt_tokens": "many"})


def test_an_answer_that_did_not_end_is_none() -> None:
    """
    Without `[DONE]` there is no whole answer, nor without a choice.
    """
    cut_off = assembled([chunk(content="x"), finish()])
    empty = assembled([framed({"usage": None}), DONE])

    assert cut_off.completion() is None
    assert empty.completion() is None
    assert not cut_off.gave_up


@pytest.mark.parametrize(
    "data", [b"[]", b'"x"', b"{", b'{"choices":[[]]}', b'{"choices":[{"delta":{"tool_calls":[1]}}]}']
)
def test_what_is_no_chunk_cannot_be_added_up(data: bytes) -> None:
    """
    An event that is no object, or has something else where a list should be, makes the assembler give up.
    """
    odd = StreamEvent(b"data: %b\n\n" % data, None, Weight.ANSWER)

    assembler = assembled([chunk(content="x"), odd, finish(), DONE])

    assert assembler.completion() is None
    assert assembler.gave_up


@pytest.mark.parametrize("delta", [{"content": "x" * 60}, {"annotations": [{"url": "x" * 50}]}, {"x" * 60: 1}])
def test_an_answer_that_grows_too_large_is_given_up(delta: dict[str, object]) -> None:
    """
    What is held is bounded, while the stream goes on, whatever grows; frames may be much larger than the answer.
    """
    small = assembled([*[chunk(content="x") for _ in range(1000)], finish(), DONE], max_bytes=1100)
    assembler = Assembler(max_bytes=100_000)

    for n in range(3000):
        assembler.observe(
            [chunk(**{name if name != "x" * 60 else f"{name}{n}": value for name, value in delta.items()})]
        )

    assert small.completion() is not None
    assert assembler.gave_up
    assert assembler.completion() is None
    assert assembler.so_far() is None


def test_a_text_is_cut_between_words() -> None:
    """
    Pieces of a replayed text end before white space where there is any, and are never longer than they may be.
    """
    text = "word " * 100 + "x" * 300
    body = {"choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}]}

    events = replay(Completion(msgspec.json.encode(body)), include_usage=True)

    pieces = [
        msgspec.json.decode(event.frame[6:])["choices"][0].get("delta", {}).get("content") for event in events[1:-2]
    ]
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= PIECE_CHARS
    assert all(piece.endswith("word") for piece in pieces[:3])


def test_a_replay_looks_like_a_live_stream() -> None:
    """
    First the role, then what is said, then the finish, the usage if it was asked for, and `[DONE]`.
    """
    counts = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    completion = completion_of({"id": "x", "model": "m", "choices": [choice], "usage": counts})

    plain = replay(completion, include_usage=False)
    told = replay(completion, include_usage=True)

    head = b'data: {"id":"x","model":"m","object":"chat.completion.chunk","choices":['
    frames = [
        b'{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n',
        b'{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n',
        b'{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    ]
    assert [event.frame for event in plain] == [*[head + frame for frame in frames], b"data: [DONE]\n\n"]
    assert [event.weight for event in plain] == [Weight.NOTHING, Weight.ANSWER, Weight.ANSWER, Weight.ANSWER]
    assert [event.chunk.usage for event in told if event.chunk] == [None, None, None, Usage(1, 2, 3)]
    assert all(b'"usage":null' in event.frame for event in told[:3])


def test_an_unfamiliar_form_is_replayed_all_the_same() -> None:
    """
    A message whose fields have other types than ours is sent in one piece, without a meaning.
    """
    choice = {"index": 0, "message": {"content": None, "reasoning": {"a": 1}}, "finish_reason": "stop"}

    events = replay(completion_of({"choices": [choice]}), include_usage=False)

    assert events[1].chunk is None
    assert whole(events)["choices"][0]["message"]["reasoning"] == {"a": 1}


@given(st.text(max_size=300), st.none() | st.fixed_dictionaries({"tokens": st.just(["a"])}))
def test_older_completions_are_replayed_too(text: str, logprobs: dict[str, Any] | None) -> None:
    """Answers whose choices have a text and no message keep their form, both ways."""
    choices = [{"index": n, "text": text, "finish_reason": "stop", "logprobs": logprobs} for n in (0, 1)]
    body = {"id": "x", "object": "text_completion", "created": 1, "model": "m", "choices": choices}

    events = replay(completion_of(body), include_usage=False)

    assert whole(events) == body
    assert all(b'"object":"text_completion"' in event.frame for event in events[:-1])


def test_events_without_a_meaning_here_add_nothing() -> None:
    """What a provider of another dialect says beyond OpenAI's form has an empty frame."""
    silent = StreamEvent(b"", None, Weight.NOTHING)

    assert message(silent, chunk(content="x"), silent)["content"] == "x"


def test_what_is_no_answer_cannot_be_replayed() -> None:
    """
    The caller is told, before any event is made.
    """
    with pytest.raises(msgspec.MsgspecError):
        replay(Completion(b'{"choices":7}'), include_usage=False)
