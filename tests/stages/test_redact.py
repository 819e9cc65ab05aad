"""Taking things out of calls, and putting them back into answers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from app.core.call import Call, CallOptions, Reply
from app.core.errors import CHECK_UNAVAILABLE, CONTENT_BLOCKED, GatewayError
from app.core.model import ChatRequest, Native, Operation, PlainRequest, StreamEvent, Weight
from app.core.redaction.finding import Finding
from app.core.redaction.redactor import Action, Found
from app.core.signals import Redacted
from app.core.stream import EventStream
from tests.core.redaction.parts import inspector, redactor
from tests.stages.redacting import MASK, TOKENIZE, House, rules
from tests.support.calls import (
    Line,
    Step,
    a_call,
    answers,
    asking,
    chat_request,
    done,
    event,
    role,
    streams,
    text_of,
    word,
)

MAIL = "anna@example.com"


def spoken(*texts: str) -> Step:
    """Return a streamed answer."""
    finish = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, Weight.ANSWER)
    return streams(Line(role(), *map(word, texts), finish, done()))


def plain(raw: object, **more: object) -> Call:
    """Return a call that is no chat."""
    request = PlainRequest(Operation.EMBEDDINGS, "fast", msgspec.json.encode(raw), **more)  # type: ignore[arg-type]
    return msgspec.structs.replace(a_call(), request=request)


async def test_a_clean_call_passes_untouched() -> None:
    """The very same call goes on, and the very same answer comes back."""
    house = House(answers("hello"))
    call = a_call(asking("nothing here"))

    text = await text_of(await house.handler(call))

    assert (text, house.told) == ("hello", [])
    assert house.sent is call


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_what_was_taken_out_comes_back(stream: bool) -> None:
    """The provider sees a placeholder, the caller what it stands for."""
    house = House(spoken("mail [EM", "AIL_1] no", "w") if stream else answers("mail [EMAIL_1] now"))

    text = await text_of(await house.handler(a_call(asking(f"mail {MAIL}", stream=stream))))

    request = house.sent.request
    assert isinstance(request, ChatRequest)
    assert text == f"mail {MAIL} now"
    assert request.fields.messages[0].content == "mail [EMAIL_1]"
    assert MAIL.encode() not in request.raw
    assert house.told == [Redacted("req_1", "prompt", "email", "tokenize", 1)]


async def test_the_body_in_another_dialect_is_dropped() -> None:
    """Nobody sends the caller's own bytes on when its text was changed; without a change they stay."""
    house = House(answers(), answers())
    given = [
        chat_request(msgspec.json.encode({"model": "fast", "messages": [{"role": "user", "content": text}]}))
        for text in (MAIL, "x")
    ]
    calls = [a_call(ChatRequest(request.fields, request.raw, Native("anthropic", b"{}"))) for request in given]

    kept = []
    for call in calls:
        await house.handler(call)
        kept.append(isinstance(house.sent.request, ChatRequest) and house.sent.request.origin is not None)

    assert kept == [False, True]


async def test_nothing_comes_back_of_what_was_masked() -> None:
    """Then the answer is not even looked at."""
    house = House(answers("[EMAIL] [EMAIL_1]"), common=rules(MASK))

    text = await text_of(await house.handler(a_call(asking(MAIL))))

    assert text == "[EMAIL] [EMAIL_1]"
    assert b'"[EMAIL]"' in house.sent.request.raw


async def test_a_blocked_call_goes_nowhere() -> None:
    """It is refused by the name of the detector and the field, and counted."""
    house = House(common=rules(redactor(ssn=Action.BLOCK)))

    with pytest.raises(GatewayError) as caught:
        await house.handler(a_call(asking(f"{MAIL} 123-45-6789")))

    error = caught.value
    assert (error.kind, error.param) == (CONTENT_BLOCKED, "messages[0].content")
    assert "'ssn'" in error.message
    assert "123-45" not in error.message
    assert house.provider.asked == []
    assert house.told == [
        Redacted("req_1", "prompt", "email", "tokenize", 1),
        Redacted("req_1", "prompt", "ssn", "block", 1),
    ]


@pytest.mark.parametrize(
    ("model", "sent"), [("fast", "[EMAIL_1]"), ("box/large", "[EMAIL]"), ("box:large", "[EMAIL]"), ("open", MAIL)]
)
async def test_each_route_has_its_rules(model: str, sent: str) -> None:
    """By its name or as `provider/model`, with either separator; others have the common ones."""
    house = House(answers(), routes={"box/large": rules(MASK), "open": rules()})

    await house.handler(a_call(asking(MAIL, model=model)))

    assert isinstance(house.sent.request, ChatRequest)
    assert house.sent.request.fields.messages[0].content == sent


async def test_a_route_may_have_none() -> None:
    """Then its calls are not looked at."""
    house = House(answers(), routes={"open": None}, common=rules(TOKENIZE))

    await house.handler(a_call(asking(MAIL, model="open")))

    assert MAIL.encode() in house.sent.request.raw


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_answers_are_redacted(stream: bool) -> None:
    """What the model says goes, what the caller said comes back, and what was found is told once, at the end."""
    said = ("ask [EMAIL_1] or bo", "b@x.org, call 555-", "123-4567", ".")
    house = House(spoken(*said) if stream else answers("".join(said)), common=rules(TOKENIZE, MASK))

    text = await text_of(await house.handler(a_call(asking(MAIL, stream=stream))))

    assert text == f"ask {MAIL} or [EMAIL], call [PHONE]."
    assert house.told[1:] == [
        Redacted("req_1", "answer", "email", "mask", 1),
        Redacted("req_1", "answer", "phone", "mask", 1),
    ]


async def test_an_answer_without_finds_tells_nothing() -> None:
    """A redactor of answers alone leaves prompts as they are."""
    house = House(answers("fine"), spoken("fi", "ne"), common=rules(None, MASK))

    texts = [await text_of(await house.handler(a_call(asking(MAIL, stream=stream)))) for stream in (False, True)]

    assert (texts, house.told) == (["fine", "fine"], [])
    assert MAIL.encode() in house.sent.request.raw


async def test_a_find_in_an_answer_may_be_left() -> None:
    """It is only counted."""
    house = House(answers(f"ask {MAIL}"), common=rules(None, redactor(default=Action.REPORT)))

    text = await text_of(await house.handler(a_call()))

    assert text == f"ask {MAIL}"
    assert house.told == [Redacted("req_1", "answer", "email", "report", 1)]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_answer_may_be_blocked(stream: bool) -> None:
    """A whole one is refused; a stream ends with the refusal, and what was found never went out."""
    said = ("it is fine, the num", "ber is 123-45-", "6789 for sure")
    house = House(
        spoken(*said) if stream else answers("".join(said)), common=rules(None, redactor(default=Action.BLOCK))
    )
    seen = ""

    with pytest.raises(GatewayError) as caught:  # noqa: PT012 - the reading raises
        reply = await house.handler(a_call(asking(stream=stream)))
        assert isinstance(reply.body, EventStream)
        async for batch in reply.body:
            seen += "".join(each.frame.decode() for each in batch)

    assert (caught.value.kind, caught.value.param) == (CONTENT_BLOCKED, None)
    assert ("fine" in seen, "123" in seen) == (stream, False)
    assert house.told == [Redacted("req_1", "answer", "ssn", "block", 1)]


@pytest.mark.parametrize("mode", ["json_object", "json_schema"])
async def test_json_mode_stays_json(mode: str) -> None:
    """What comes back into JSON is escaped."""
    secret = 'postgres://app:pa\\ss"word1@db/main'.replace('"', "")
    house = House(answers('{"url":"[SECRET_1]"}'))

    text = await text_of(await house.handler(a_call(asking(f"use {secret}", response_format={"type": mode}))))

    assert msgspec.json.decode(text) == {"url": secret}


async def test_other_operations() -> None:
    """Their input is redacted in the body and in what was read from it; a body that is no JSON passes."""
    house = House(answers(), answers(), answers())
    call = plain({"model": "fast", "input": [MAIL, "x"], "user": MAIL}, text=(MAIL, "x"), user=MAIL)
    upload = plain({"prompt": MAIL}, media_type="application/octet-stream")
    without_user = plain({"model": "fast", "input": MAIL}, text=(MAIL,))

    sent = []
    for each in (call, upload, without_user):
        await house.handler(each)
        sent.append(house.sent.request)

    one, other, last = sent
    assert isinstance(one, PlainRequest)
    assert isinstance(last, PlainRequest)
    assert msgspec.json.decode(one.raw) == {"model": "fast", "input": ["[EMAIL_1]", "x"], "user": "[EMAIL_1]"}
    assert (one.text, one.user) == (("[EMAIL_1]", "x"), "[EMAIL_1]")
    assert other is upload.request
    assert (last.text, last.user) == (("[EMAIL_1]",), None)


class Elsewhere:
    """Detectors that are asked over a network."""

    def __init__(self, error: GatewayError | None = None) -> None:
        self.error = error
        self.asked: list[str] = []

    async def find(self, texts: Sequence[str]) -> Found:
        """Find the first word of each text."""
        self.asked += texts
        if self.error is not None:
            raise self.error
        return {text: [Finding(0, text.index(" "), "person")] for text in texts}


async def test_detectors_outside_are_asked() -> None:
    """They see each text once, before it goes anywhere, and what they find is treated like everything else."""
    outside = Elsewhere()
    prompt = redactor(inspector("email"))
    prompt = type(prompt)(prompt.inspector, {"person": Action.TOKENIZE, "email": Action.MASK}, b"k")
    house = House(answers("dear [PERSON_1]"), common=rules(prompt, None, outside))

    text = await text_of(await house.handler(a_call(asking(f"Anna has {MAIL}"))))

    assert text == "dear Anna"
    assert outside.asked == [f"Anna has {MAIL}"]
    assert house.told == [
        Redacted("req_1", "prompt", "person", "tokenize", 1),
        Redacted("req_1", "prompt", "email", "mask", 1),
    ]


async def test_without_an_answer_of_theirs_the_call_fails() -> None:
    """Nothing goes on that was not looked at."""
    outside = Elsewhere(GatewayError(CHECK_UNAVAILABLE, "gone"))
    house = House(common=rules(TOKENIZE, None, outside))

    with pytest.raises(GatewayError) as caught:
        await house.handler(a_call(asking("Anna has none")))

    assert caught.value.kind is CHECK_UNAVAILABLE
    assert house.provider.asked == []


async def test_a_fault_in_the_redaction_fails_the_call() -> None:
    """A body that cannot be walked through is not sent on, whatever the reason."""
    house = House()
    broken = ChatRequest(asking("x").fields, b'{"messages":[{"content":"a@b.com"')

    with pytest.raises(msgspec.DecodeError):
        await house.handler(a_call(broken))

    assert house.provider.asked == []


def test_what_would_be_found() -> None:
    """A dry run counts by field and detector, also what would be blocked, and changes nothing."""
    house = House(common=rules(redactor(ssn=Action.BLOCK)), routes={"open": None, "answers": rules(None, MASK)})
    request = asking(f"{MAIL} 123-45-6789", user=MAIL)

    hits, _ = house.stage.explain(request)
    _, below = house.stage.explain(asking(MAIL))

    assert [(hit.field, hit.detector, hit.action, hit.count) for hit in hits] == [
        ("user", "email", Action.TOKENIZE, 1),
        ("messages[0].content", "email", Action.TOKENIZE, 1),
        ("messages[0].content", "ssn", Action.BLOCK, 1),
    ]
    assert [house.stage.explain(asking(MAIL, model=model))[0] for model in ("open", "answers")] == [(), ()]
    sound = PlainRequest(Operation.TRANSCRIPTIONS, "m", b"x", media_type="audio/wav")
    assert house.stage.explain(sound) == ((), sound)
    assert MAIL.encode() not in below.raw
    assert house.told == []


async def test_placeholders_of_a_session_never_mean_two_values() -> None:
    """The same for the same value in every call of one session, and others in another."""
    house = House(*[answers("ok")] * 5)

    for session, mail in (("sess_1", "a"), ("sess_1", "b"), ("sess_1", "a"), ("sess_2", "a"), ("mine", "a")):
        await house.handler(a_call(asking(f"to {mail}@b.com"), options=CallOptions(session=session)))

    sent = [asked.request.raw for asked in house.provider.asked if isinstance(asked, Call)]
    assert (sent[0], len(set(sent))) == (sent[2], 4)
    assert b"to [EMAIL_1]" in sent[4]


async def test_a_placeholder_that_the_caller_repeats_means_what_it_meant() -> None:
    """In a session it comes back as its value in every answer to a message with that value."""

    async def echo(call: Call) -> Reply:
        request = call.request
        assert isinstance(request, ChatRequest)
        return await answers(f"{request.fields.messages[-1].content}")(call)

    house = House(echo, echo)
    in_session = CallOptions(session="sess_1")
    await house.handler(a_call(asking(MAIL), options=in_session))
    request = house.sent.request
    assert isinstance(request, ChatRequest)
    placeholder = request.fields.messages[-1].content

    reply = await house.handler(a_call(asking(f"{placeholder} is {MAIL}"), options=in_session))

    assert await text_of(reply) == f"{MAIL} is {MAIL}"


def form(**fields: str) -> bytes:
    """Return a form with a file and these texts."""
    parts = [f'--x\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()]
    file = f'--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n{MAIL}\r\n'
    return "".join([file, *parts, "--x--\r\n"]).encode()


async def test_forms() -> None:
    """The texts of a form are looked at, its files are not, and nothing else of it changes."""
    media = "multipart/form-data; boundary=x"
    given = form(model="whisper", prompt=f"ask {MAIL}", **{f"for {MAIL}": MAIL})
    request = PlainRequest(Operation.TRANSCRIPTIONS, "whisper", given, media_type=media, text=(f"ask {MAIL}",))
    house = House(answers("[EMAIL_1]"))

    await house.handler(msgspec.structs.replace(a_call(), request=request))

    expected = form(model="whisper", prompt="ask [EMAIL_1]", **{f"for {MAIL}": "[EMAIL_1]"})
    assert (house.sent.request.raw, house.sent.request.text) == (expected, ("ask [EMAIL_1]",))  # type: ignore[union-attr]


async def test_sound_is_passed_on() -> None:
    """Nothing comes back into it, and nobody tries to read it."""
    sound = StreamEvent(b"RIFF[EMAIL_1]", None, Weight.ANSWER)
    request = PlainRequest(Operation.SPEECH, "fast", msgspec.json.encode({"input": MAIL}), stream=True, text=(MAIL,))
    house = House(streams(Line(sound)), common=rules(TOKENIZE, MASK))

    reply = await house.handler(msgspec.structs.replace(a_call(), request=request))

    assert isinstance(reply.body, EventStream)
    assert [event async for batch in reply.body for event in batch] == [sound]
