"""Rewriting answers, whole and streamed: each text on its own, and nothing but texts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.model import Chunk, Completion, Native, StreamEvent, Weight
from app.core.redaction.answers import AnswerFormat, MakeRewriter, RewriteEvents, rewrite_whole
from app.core.redaction.editing import Chain, InJson, Plain, Rewriter
from app.core.redaction.hold_back import Cut
from app.core.redaction.placeholders import Restore, Vault
from tests.core.redaction.parts import EVERYTHING
from tests.core.redaction.test_editing import cuts
from tests.support.calls import done, event, role, word

CHAT, PLAIN, JSON_MODE = AnswerFormat(chat=True), AnswerFormat(chat=False), AnswerFormat(chat=True, in_json=True)
VALUE = 'say "hi"@example.com'
MARKS = "[\\"


def restoring(json: bool) -> Rewriter:
    """Return what puts one value back."""
    vault = Vault()
    vault.put("email", VALUE)
    return InJson(Restore(vault)) if json else Plain(Restore(vault))


def looking(json: bool) -> Rewriter:
    """Return what looks for finds and then puts the value back."""
    cut = Cut(EVERYTHING, lambda detector, _value: f"<{detector}>", 128)
    return Chain([InJson(cut) if json else Plain(cut), restoring(json)])


def whole(form: AnswerFormat, /, **choice: object) -> Any:  # noqa: ANN401 - JSON
    """Return the first choice of an answer after rewriting."""
    raw = msgspec.json.encode({"id": "[EMAIL_1]", "choices": [choice], "usage": {"total_tokens": 3}})
    answer = rewrite_whole(Completion(raw, native=Native("x", b"y")), restoring, form)
    assert answer.native is None
    return msgspec.json.decode(answer.raw)["choices"][0]


def chunk(**delta: object) -> StreamEvent:
    """Return an event of one choice."""
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}, Weight.ANSWER)


def finish(reason: str = "stop", **more: object) -> StreamEvent:
    """Return the event that finishes the choice."""
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason, **more}]}, Weight.ANSWER)


def arguments(text: str, index: int = 0, **call: object) -> StreamEvent:
    """Return a piece of a tool call's arguments."""
    return chunk(tool_calls=[{"index": index, **call, "function": {"arguments": text}}])


def payloads(events: list[StreamEvent]) -> list[Any]:
    """Return what events say, in order."""
    return [msgspec.json.decode(each.frame[6:]) if not each.done else None for each in events]


def sent(
    *events: StreamEvent, make: MakeRewriter = restoring, form: AnswerFormat = CHAT, marks: str | None = MARKS
) -> list[StreamEvent]:
    """Return the events that go out."""
    transform = RewriteEvents(make, form, marks)
    return [out for each in events for out in transform([each])]


def spoken(events: list[StreamEvent], field: str = "content") -> str:
    """Join one text of the answer; the decoded form must say the same as the frame."""
    text = ""
    for each, payload in zip(events, payloads(events), strict=True):
        for choice in (payload or {}).get("choices", ()):
            text += choice.get("delta", {}).get(field) or ""
        if each.chunk is not None and payload is not None:
            assert each.chunk == msgspec.convert(payload, Chunk)
    return text


def called(events: list[StreamEvent], index: int = 0) -> str:
    """Join the arguments of one tool call."""
    calls = [
        call
        for payload in payloads(events)
        for choice in (payload or {}).get("choices", ())
        for call in choice["delta"].get("tool_calls") or ()
    ]
    return "".join(call["function"].get("arguments") or "" for call in calls if call["index"] == index)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (
            {"message": {"role": "assistant", "content": "to [EMAIL_1]"}},
            {"message": {"role": "assistant", "content": f"to {VALUE}"}},
        ),
        (
            {"message": {"content": [{"type": "text", "text": "[EMAIL_1]"}]}},
            {"message": {"content": [{"type": "text", "text": VALUE}]}},
        ),
        (
            {"message": {"refusal": "[EMAIL_1]", "reasoning": "[EMAIL_1]"}},
            {"message": {"refusal": VALUE, "reasoning": VALUE}},
        ),
        (
            {
                "message": {
                    "tool_calls": [{"id": "[EMAIL_1]", "function": {"name": "f", "arguments": '{"to":"[EMAIL_1]"}'}}]
                }
            },
            {
                "message": {
                    "tool_calls": [
                        {
                            "id": "[EMAIL_1]",
                            "function": {"name": "f", "arguments": msgspec.json.encode({"to": VALUE}).decode()},
                        }
                    ]
                }
            },
        ),
        (
            {"text": "[EMAIL_1]", "logprobs": {"tokens": ["[EMAIL_1]"]}},
            {"text": VALUE, "logprobs": {"tokens": ["[EMAIL_1]"]}},
        ),
    ],
)
def test_whole_answers(choice: dict[str, object], expected: dict[str, object]) -> None:
    """Every text of a choice, the arguments of tools as JSON; identifiers and probabilities are none."""
    assert whole(CHAT, **choice) == expected


def test_whole_answers_in_json_mode() -> None:
    """The content is JSON and stays so."""
    answer = whole(JSON_MODE, message={"content": '{"to":"[EMAIL_1]"}', "refusal": "[EMAIL_1]"})

    assert msgspec.json.decode(answer["message"]["content"]) == {"to": VALUE}
    assert answer["message"]["refusal"] == VALUE


def test_whole_answers_of_other_operations() -> None:
    """Everything but vectors, pictures and identifiers is text."""
    raw = msgspec.json.encode(
        {
            "results": [{"document": {"text": "[EMAIL_1]"}}],
            "data": [{"embedding": "[EMAIL_1]", "revised_prompt": "[EMAIL_1]"}],
        }
    )

    answer = rewrite_whole(Completion(raw), restoring, PLAIN)

    assert msgspec.json.decode(answer.raw) == {
        "results": [{"document": {"text": VALUE}}],
        "data": [{"embedding": "[EMAIL_1]", "revised_prompt": VALUE}],
    }


@pytest.mark.parametrize(("raw", "media"), [(b'{"choices":[]}', "application/json"), (b"RIFF[EMAIL_1]", "audio/wav")])
def test_an_answer_without_placeholders_is_the_same_object(raw: bytes, media: str) -> None:
    """So are sounds and pictures, which are not read."""
    answer = Completion(raw, native=Native("x", b"y"), media_type=media)

    assert rewrite_whole(answer, restoring, CHAT) is answer


def test_events_without_placeholders_are_forwarded() -> None:
    """Not even decoded."""
    events = [role(), word("hello"), finish(), done()]

    out = sent(*events)

    assert out == events


def test_a_placeholder_in_pieces_comes_back() -> None:
    """What is held back goes out with the piece that completes it; events of which nothing is left are left out."""
    out = sent(role(), word("to [EM"), word("AIL"), word("_1] now"), finish(), done())

    assert [payload and payload["choices"][0]["delta"].get("content") for payload in payloads(out)] == [
        "",
        "to ",
        f"{VALUE} now",
        None,
        None,
    ]


def test_what_is_no_placeholder_goes_out_before_the_finish() -> None:
    """The end of the text is part of the event that finishes it."""
    out = sent(word("see [EMAIL"), finish("length"), done())

    assert spoken(out) == "see [EMAIL"
    assert payloads(out)[1]["choices"][0] == {"index": 0, "delta": {"content": "[EMAIL"}, "finish_reason": "length"}


def test_an_answer_without_a_finish_loses_nothing() -> None:
    """Then the rest goes out as an event of its own."""
    out = sent(word("see [EMAIL"), done())

    assert spoken(out) == "see [EMAIL"
    assert out[-1].done


def test_tool_calls_in_pieces() -> None:
    """Each call's arguments on their own, escaped, with the end of one before the beginning of the next."""
    out = sent(
        arguments('{"to":"[EMAIL', id="c1"),
        arguments('_1]","x":"['),
        arguments('{"y":"', 1, id="c2"),
        arguments('[EMAIL_1]"}', 1),
        finish("tool_calls"),
        done(),
    )

    assert called(out) == '{"to":"say \\"hi\\"@example.com","x":"['
    assert called(out, 1) == '{"y":"say \\"hi\\"@example.com"}'
    assert [call["index"] for call in payloads(out)[2]["choices"][0]["delta"]["tool_calls"]] == [0, 1]


def test_one_text_ends_where_another_begins() -> None:
    """What was held back of the reasoning goes out before the answer, and before a tool is called."""
    out = sent(chunk(reasoning_content="so [EM"), word("well ["), arguments("{}", id="c"), finish(), done())

    deltas = [payload["choices"][0]["delta"] for payload in payloads(out) if payload]
    assert [set(delta) for delta in deltas[:3]] == [
        {"reasoning_content"},
        {"content", "reasoning_content"},
        {"tool_calls", "content"},
    ]
    assert (spoken(out, "reasoning_content"), spoken(out)) == ("so [EM", "well [")


def test_choices_are_kept_apart() -> None:
    """Two choices of one answer each have their own texts."""
    events = [
        event({"choices": [{"index": index, "delta": {"content": text}}]}, Weight.ANSWER)
        for index, text in ((0, "a [EM"), (1, "b [EMAIL_1"), (0, "AIL_1]"), (1, "] c"))
    ]

    out = payloads(sent(*events, finish(), done()))

    said = [
        "".join(
            choice["delta"].get("content") or ""
            for payload in out
            if payload
            for choice in payload["choices"]
            if choice["index"] == index
        )
        for index in (0, 1)
    ]
    assert said == [f"a {VALUE}", f"b {VALUE} c"]


def test_forms_of_other_servers() -> None:
    """Old function calls, texts in parts, legacy completions, and events that say something else."""
    call = sent(
        chunk(function_call={"arguments": '["[EMAIL'}), chunk(function_call={"arguments": '_1]"]'}), finish(), done()
    )
    parts = sent(
        chunk(content=[{"type": "text", "text": "[EMAIL"}]),
        chunk(content=[{"type": "text", "text": "_1]["}, "odd"]),
        finish(),
        done(),
    )
    legacy = [
        event({"choices": [{"index": 0, "text": text, "finish_reason": reason}]}, Weight.ANSWER)
        for text, reason in (("a [EM", None), ("AIL_1] [", None), ("", "stop"))
    ]
    other = event({"choices": [], "usage": {"total_tokens": 3}}, Weight.NOTHING)
    native = StreamEvent(b"", None, Weight.NOTHING, native=Native("x", b"y"))

    arguments_said = "".join(
        payload["choices"][0]["delta"].get("function_call", {}).get("arguments", "")
        for payload in payloads(call)
        if payload
    )
    contents = [payload["choices"][0]["delta"].get("content") or () for payload in payloads(parts) if payload]
    texts = [
        part if isinstance(part, str) else part["text"] for content in contents for part in content if part != "odd"
    ]
    assert msgspec.json.decode(arguments_said) == [VALUE]
    assert "".join(texts) == f"{VALUE}["
    assert "".join(payload["choices"][0]["text"] for payload in payloads(sent(*legacy, form=PLAIN))) == f"a {VALUE} ["
    assert payloads(sent(legacy[0], done(), form=PLAIN))[-2] == {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "text": "[EM"}],
    }
    assert sent(other, native) == [other, native]


def test_parts_that_a_finish_ends() -> None:
    """Where a text came in parts its rest is one more part."""
    held = event(
        {"choices": [{"index": 0, "delta": {"content": [{"type": "text", "text": "x ["}]}, "finish_reason": "stop"}]},
        Weight.ANSWER,
    )

    (out,) = payloads(sent(held))

    assert out["choices"][0]["delta"]["content"] == [{"type": "text", "text": "x "}, {"type": "text", "text": "["}]


def test_events_with_more_than_text_are_kept() -> None:
    """Usage and probabilities reach the client, also if the text beside them is held back."""
    probable = event(
        {"choices": [{"index": 0, "delta": {"content": "["}, "logprobs": {"content": [1]}}]}, Weight.ANSWER
    )
    counted = event({"choices": [{"index": 0, "delta": {"content": "["}}], "usage": {"total_tokens": 3}}, Weight.ANSWER)

    assert len(sent(probable)) == len(sent(counted)) == 1


def test_payloads_of_unknown_form_are_looked_at() -> None:
    """An event that the gateway could not decode is not forwarded unread."""
    odd = StreamEvent(b'data: {"choices":[{"index":"x","delta":{"content":"[EMAIL_1]"}}]}\n\n', None, Weight.ANSWER)
    array = StreamEvent(b"data: [1]\n\n", None, Weight.ANSWER)

    out = sent(odd, array)

    assert (payloads(out)[0]["choices"][0]["delta"]["content"], out[0].chunk) == (VALUE, None)
    assert out[1] is array


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["[EMAIL_1]", "mail bob@example.com ", "word ", "4111 1111 1111 1111", "[", "é", "555-123-4567", "\n"]
        ),
        max_size=10,
    ),
    st.lists(st.integers(0, 300), max_size=10),
    st.booleans(),
)
def test_a_stream_says_what_the_whole_answer_says(words: list[str], places: list[int], json: bool) -> None:
    """However the provider cuts it, in plain text and in JSON mode."""
    form, text = (JSON_MODE, msgspec.json.encode("".join(words)).decode()) if json else (CHAT, "".join(words))
    raw = msgspec.json.encode({"choices": [{"message": {"content": text}}]})

    said = spoken(sent(role(), *map(word, cuts(text, places)), finish(), done(), make=looking, form=form, marks=None))

    answer = msgspec.json.decode(rewrite_whole(Completion(raw), looking, form).raw)
    assert said == answer["choices"][0]["message"]["content"]
    assert "bob@" not in said


def test_odd_forms_lose_nothing() -> None:
    """Calls without a function, choices without a delta, and a rest that has nowhere to go but a new delta."""
    delta = {"tool_calls": ["odd", {"index": 1}, {"index": 0, "function": {"arguments": "["}}], "content": "x"}
    frame = b"data: %b\n\n" % msgspec.json.encode({"choices": [{"index": 0, "delta": delta}]})
    odd = payloads(sent(StreamEvent(frame, None, Weight.ANSWER), done()))
    bare = event({"choices": [{"index": 0, "finish_reason": "stop"}]}, Weight.ANSWER)
    without_delta = payloads(sent(word("a ["), bare))
    nothing_left = sent(word("[EMAIL_1"), word("]"), done())

    assert odd[0]["choices"][0]["delta"]["tool_calls"][2] == {"index": 0, "function": {"arguments": ""}}
    assert odd[1]["choices"][0]["delta"] == {"tool_calls": [{"index": 0, "function": {"arguments": "["}}]}
    assert without_delta[-1]["choices"][0] == {"index": 0, "finish_reason": "stop", "delta": {"content": "["}}
    assert (spoken(nothing_left), len(nothing_left)) == (VALUE, 2)


def test_a_rest_that_is_empty_makes_no_event() -> None:
    """Also where everything is looked at."""
    out = sent(word("hello"), done(), marks=None)

    assert (spoken(out), len(out)) == ("hello", 2)


def test_a_rest_goes_into_the_call_that_is_there() -> None:
    """An event may hold the last piece of a call and its finish."""
    call = {"index": 0, "function": {"arguments": "x["}}
    (out,) = payloads(
        sent(
            event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "stop"}]}, Weight.ANSWER)
        )
    )

    assert out["choices"][0]["delta"]["tool_calls"] == [call]


TRANSCRIPT = b'event: x\ndata: {"type":"transcript.text.delta","delta":%b}\n\n'


def piece(text: str) -> StreamEvent:
    """Return an event of a transcript."""
    return StreamEvent(TRANSCRIPT % msgspec.json.encode(text), Chunk(), Weight.ANSWER)


def test_transcripts() -> None:
    """Their pieces are one text, which ends before the event that repeats all of it; other events pass."""
    whole_text = StreamEvent(
        b'data: {"type":"transcript.text.done","text":"to [EMAIL_1] ["}\n\n', Chunk(), Weight.ANSWER
    )
    other = StreamEvent(b'data: {"type":"x","b64_json":"AA=="}\n\n', Chunk(), Weight.ANSWER)

    nothing_left = sent(piece("fine"), whole_text, form=PLAIN)
    out = sent(piece("to [EM"), piece("AIL"), other, piece("_1] ["), whole_text, form=PLAIN)

    frames = [each.frame.decode() for each in out]
    said = [msgspec.json.decode(frame[frame.index("{") :]) for frame in frames]
    assert "".join(each.get("delta", "") for each in said) == f"to {VALUE} ["
    assert [each.get("text") for each in said if "text" in each] == [f"to {VALUE} ["]
    assert [each["type"] for each in said[-2:]] == ["transcript.text.delta", "transcript.text.done"]
    assert frames[0].startswith("event: x\ndata: ")
    assert other in out
    assert len(nothing_left) == 2


def test_transcripts_that_are_nothing_but_text() -> None:
    """A whole one may be no JSON at all, and still look like some."""
    answers = [rewrite_whole(Completion(raw), restoring, PLAIN).raw for raw in (b"[Music] to [EMAIL_1]", b"\xff\xfe")]

    assert answers == [f"[Music] to {VALUE}".encode(), b"\xff\xfe"]


def test_legacy_chunks_mean_what_their_frames_say() -> None:
    """The codec reads their text as content, and so does what was rewritten."""
    legacy = event({"choices": [{"index": 0, "text": "to [EMAIL_1]", "finish_reason": None}]}, Weight.ANSWER)

    (out,) = sent(legacy, form=PLAIN)

    assert out.chunk is not None
    assert [choice.delta.content for choice in out.chunk.choices] == [f"to {VALUE}"]


def test_details_come_back_in_one_piece() -> None:
    """What a model thought and rests on has texts too; signatures stay as they are."""
    details = [{"type": "reasoning.text", "text": "about [EMAIL_1]", "signature": "[EMAIL_1]"}]
    streamed = payloads(sent(chunk(reasoning_details=details), chunk(annotations=[{"title": "x"}]), finish(), done()))
    answer = whole(CHAT, message={"reasoning_details": details, "annotations": [{"title": "[EMAIL_1]"}]})

    assert streamed[0]["choices"][0]["delta"]["reasoning_details"] == [{**details[0], "text": f"about {VALUE}"}]
    assert answer["message"] == {
        "reasoning_details": [{**details[0], "text": f"about {VALUE}"}],
        "annotations": [{"title": VALUE}],
    }
