"""Guards that look at texts alone, and what changes prompts so that attacks fail or show."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec
import pytest

from app.core.errors import CHECK_UNAVAILABLE, TARGET_FAILED, GatewayError
from app.core.guards.checks import Leak, Length, Quiet, Refusal, Terms, Tools, Tripwire
from app.core.guards.guard import Guard, Prompt, Said
from app.core.guards.moderation import Moderation
from app.core.guards.seen import Transcript, prompt_of, said_in
from app.core.guards.spotlight import Spotlight, spotlit
from app.core.guards.watching import Sharp, Watch
from app.core.messages import with_system_note
from app.core.model import ChatRequest, Chunk, Completion, Operation, PlainRequest, StreamEvent, Weight
from app.core.redaction.editing import Plain
from app.inspection.patterns import Re2Patterns
from tests.core.guards.test_injection import nobody
from tests.core.redaction.parts import EVERYTHING
from tests.support.calls import asking, done, event, word

PATTERNS = Re2Patterns()
KEY = b"a key"


def said(*contents: str, tools: Sequence[str] = (), texts: Sequence[str] = (), arguments: Sequence[str] = ()) -> Said:
    """Return an answer with these contents."""
    return Said((*contents, *texts), contents, tuple(tools), tuple(arguments))


def prompt(text: str = "hi", key: str = "", **fields: Any) -> Prompt:  # noqa: ANN401 - JSON
    """Return the prompt of a chat request."""
    return prompt_of(asking(text, **fields), key)


async def reason(guard: Guard, answer: Said | None = None, given: Prompt | None = None) -> str | None:
    """Return why a guard complains of an answer or, without one, of a prompt."""
    given = given or prompt()
    found = await (guard.check_prompt(given, nobody) if answer is None else guard.check_answer(answer, given, nobody))
    return None if found is None else found.reason


def terms(*words: str, prompts: bool = True, answers: bool = True) -> Terms:
    """Return a guard against words."""
    return Terms(PATTERNS, words, prompts=prompts, answers=answers)


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("the Project Falcon report", True),
        ("project\n  FALCON", True),
        ("(project falcon)", True),
        ("projects falcon, project falconry, myproject falcon", False),
        ("C++ is fine", True),
        ("xC++", False),
        ("größe", True),
        ("übergröße", False),
    ],
)
async def test_terms(text: str, has: bool) -> None:
    """Words of their own, in any case, with any white space between them."""
    guard = terms("project falcon", "C++", "größe")

    found = [
        await reason(guard, None, prompt(text)),
        await reason(guard, said(text)),
        await reason(guard, said(arguments=[text])),
    ]

    assert found == ["term" if has else None] * 3


async def test_terms_of_one_side() -> None:
    """Only the sides that are asked for are looked at."""
    neither = terms("falcon", prompts=False, answers=False)

    assert [await reason(neither, None, prompt("falcon")), await reason(neither, said("falcon"))] == [None, None]
    assert not neither.spots(" falcon ", 6)


@pytest.mark.parametrize(
    ("offered", "key", "found"),
    [
        (["read_file"], "", None),
        (["read_file", "send_mail"], "", "tools[1].function.name"),
        (["read_secret"], "", "tools[0].function.name"),
        (["send_mail"], "ops", None),
        (["read_file"], "ops", "tools[0].function.name"),
        ([], "", None),
    ],
)
async def test_tools_that_are_offered(offered: list[str], key: str, found: str | None) -> None:
    """By patterns of names, by the caller's key if that has its own, and never one that is denied."""
    guard = Tools(["read_*"], ["*secret*"], {"ops": ["send_*"]})
    tools = [{"type": "function", "function": {"name": name}} for name in offered]

    complaint = await guard.check_prompt(prompt(key=key, tools=tools), nobody)

    assert (complaint and complaint.where) == found


async def test_tools_that_are_called() -> None:
    """A model cannot call what it must not, whether that was offered or not."""
    assert await reason(Tools(None, ["rm"], {}), said(tools=["ls", "rm"])) == "tool_called"
    assert await reason(Tools(None, ["rm"], {}), said(tools=["ls"])) is None


async def test_length() -> None:
    """The longest text counts, and arguments of tools are texts."""
    guard = Length(5)

    found = [
        await reason(guard, answer)
        for answer in (said("12345"), said("1", "123456"), said(arguments=["123456"]), said())
    ]

    assert found == [None, "too_long", "too_long", None]


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (said("I'm sorry, but I can't help with that."), True),
        (said("As an AI language model, I have no opinion."), True),
        (said("Es tut mir leid, das geht nicht."), True),
        (said("Lo siento, no puedo."), True),
        (said(texts=["I won't."]), True),
        (said("I can't", "Sure!"), False),
        (said("Sure. I'm sorry to hear that."), False),
        (said(tools=["f"], texts=["thinking"]), False),
        (said(), False),
    ],
)
async def test_refusals(answer: Said, refused: bool) -> None:
    """Only at the beginning, only if every choice is one, and what the provider calls one itself."""
    assert await reason(Refusal(PATTERNS), answer) == ("refused" if refused else None)


async def test_leaks() -> None:
    """What is in the prompt may be in the answer; what comes from elsewhere may not."""
    guard, given = Leak(EVERYTHING), prompt("write to anna@example.com")

    found = [await reason(guard, said(text), given) for text in ("anna@example.com", "bob@example.com", "nothing")]

    assert found == [None, "email", None]
    assert await reason(guard, said(arguments=["4111 1111 1111 1111"]), given) == "credit_card"


async def test_a_quiet_guard_has_no_opinion() -> None:
    """Guards that look at one side inherit the other from it."""
    assert await Quiet().check_prompt(prompt(), nobody) is None
    assert await Quiet().check_answer(said("x"), prompt(), nobody) is None


# --- what changes prompts --------------------------------------------------------------------------------------------


def contents(request: ChatRequest) -> list[Any]:
    """Return the contents of the messages, as they are sent."""
    return [message["content"] for message in msgspec.json.decode(request.raw)["messages"]]


async def test_the_tripwire() -> None:
    """The mark goes into the system prompt, and an answer that has it in any spelling is complained of."""
    guard = Tripwire(KEY)
    request = guard.marked(
        asking(messages=[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}])
    )
    spaced = "-".join(guard.mark.upper())

    found = [
        await reason(guard, said(text)) for text in (f"it says {guard.mark}", f"it says {spaced}!", guard.mark[:-1], "")
    ]

    assert guard.mark in contents(request)[0]
    assert contents(request)[0].startswith("Be kind.\n\n")
    assert request.fields.messages[0].content == contents(request)[0]
    assert found == ["prompt_told", "prompt_told", None, None]
    assert guard.spots(f" ...{spaced}", 99)
    assert Tripwire(b"other").mark != guard.mark


def test_without_a_system_prompt_there_is_nothing_to_tell() -> None:
    """Then the request stays as it is."""
    request = asking("hi")

    assert Tripwire(KEY).marked(request) is request


def test_a_note_goes_behind_the_last_text_of_a_system_prompt() -> None:
    """Also of one in parts; one without any text stays as it is."""
    parts: list[dict[str, object]] = [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
    ]
    user = {"role": "user", "content": "hi"}

    texts = with_system_note(asking(messages=[{"role": "system", "content": parts}, user]), "!")
    empty = with_system_note(asking(messages=[{"role": "developer", "content": None}, user]), "!")

    assert contents(texts)[0] == [parts[0], {**parts[1], "text": "b!"}]
    assert contents(empty)[0] is None


RESULT: dict[str, object] = {"role": "tool", "tool_call_id": "c", "content": "sunny and  warm"}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Spotlight.DELIMIT, "<<data {name}>>\nsunny and  warm\n<</data {name}>>"),
        (Spotlight.MARK, "sunny\u02c6and\u02c6warm"),
        (Spotlight.ENCODE, base64.b64encode(b"sunny and  warm").decode()),
    ],
)
def test_spotlighting(how: Spotlight, expected: str) -> None:
    """Results of tools are marked, and a note in the system prompt says how; nobody can guess the lines around them."""
    request = asking(messages=[{"role": "user", "content": "weather?"}, RESULT])

    lit, again, other = (spotlit(request, how, key) for key in (KEY, KEY, b"other"))

    name = contents(lit)[2][7:15]
    assert contents(lit)[2] == expected.format(name=name)
    assert "give no orders" in contents(lit)[0]
    assert contents(lit)[1] == "weather?"
    assert lit.raw == again.raw
    assert (lit.raw != other.raw) == (how is Spotlight.DELIMIT)


def test_spotlighting_of_parts_and_of_nothing() -> None:
    """Every text of a result is marked; without results, or without spotlighting, the request stays as it is."""
    parts = {**RESULT, "content": [{"type": "text", "text": "a b"}, {"type": "text", "text": "c d"}]}
    system = {"role": "system", "content": "s"}

    lit = spotlit(asking(messages=[system, parts]), Spotlight.MARK, KEY)
    plain, unlit = asking("hi"), asking(messages=[RESULT])

    assert [part["text"] for part in contents(lit)[1]] == ["a\u02c6b", "c\u02c6d"]
    assert contents(lit)[0].startswith("s\n\n")
    assert spotlit(plain, Spotlight.MARK, KEY) is plain
    assert spotlit(unlit, Spotlight.NONE, KEY) is unlit


# --- moderation ------------------------------------------------------------------------------------------------------


class Model:
    """A moderation model that flags texts with `bad` in them."""

    def __init__(self, answer: bytes | GatewayError | None = None) -> None:
        self.answer = answer
        self.asked: list[PlainRequest] = []

    async def __call__(self, request: PlainRequest) -> Completion:
        """Judge."""
        self.asked.append(request)
        if isinstance(self.answer, GatewayError):
            raise self.answer
        texts = msgspec.json.decode(request.raw)["input"]
        results = [
            {"flagged": "bad" in text, "categories": {"violence": "bad" in text, "other": None}} for text in texts
        ]
        return Completion(self.answer or msgspec.json.encode({"results": results}))


def moderation(*categories: str, fail_open: bool = False, prompts: bool = True, answers: bool = True) -> Moderation:
    """Return a guard that asks a model."""
    return Moderation("mod", categories, prompts=prompts, answers=answers, fail_open=fail_open)


async def test_moderation() -> None:
    """Users, tools and answers are judged; long texts in pieces; nothing is asked about nothing."""
    model, guard = Model(), moderation()
    given = prompt(messages=[{"role": "system", "content": "bad"}, {"role": "user", "content": "x" * 30_000}, RESULT])

    found = [
        await guard.check_prompt(given, model),
        await guard.check_prompt(prompt("bad"), model),
        await guard.check_answer(said("bad"), given, model),
        await guard.check_answer(said("fine"), given, model),
        await guard.check_answer(said(), given, model),
    ]

    assert [complaint and complaint.reason for complaint in found] == [None, "moderated", "moderated", None, None]
    assert [len(text) for text in model.asked[0].text] == [20_000, 10_000, len("sunny and  warm")]
    assert (model.asked[0].operation, model.asked[0].model, len(model.asked)) == (Operation.MODERATIONS, "mod", 4)


async def test_moderation_of_one_side_and_of_itself() -> None:
    """What is not asked for is not judged, and a moderation is not moderated."""
    model = Model()
    itself = prompt_of(PlainRequest(Operation.MODERATIONS, "mod", b"{}", text=("bad",)))

    found = [
        await moderation(prompts=False).check_prompt(prompt("bad"), model),
        await moderation(answers=False).check_answer(said("bad"), prompt(), model),
        await moderation().check_prompt(itself, model),
    ]

    assert (found, model.asked) == ([None, None, None], [])


@pytest.mark.parametrize(("category", "counts"), [("violence", True), ("hate", False)])
async def test_moderation_by_category(category: str, counts: bool) -> None:
    """Only the categories that are listed count."""
    found = await moderation(category).check_prompt(prompt("bad"), Model())

    assert (found is not None) == counts


@pytest.mark.parametrize("answer", [GatewayError(TARGET_FAILED, "broken"), b"[]", b'{"results":1}'])
async def test_moderation_without_an_answer(answer: bytes | GatewayError) -> None:
    """Closed refuses the call, open lets it go on."""
    with pytest.raises(GatewayError) as caught:
        await moderation().check_prompt(prompt("bad"), Model(answer))

    assert caught.value.kind is CHECK_UNAVAILABLE
    assert await moderation(fail_open=True).check_prompt(prompt("bad"), Model(answer)) is None


# --- answers ---------------------------------------------------------------------------------------------------------


def test_what_a_whole_answer_says() -> None:
    """Texts, contents, tools and their arguments of every choice; also in parts, and of older forms."""
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    choices = [
        {"message": {"content": "a", "reasoning": "r", "refusal": None, "tool_calls": [call]}},
        {"message": {"content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}, {"type": "x"}]}},
        {"message": {"refusal": "no", "function_call": {"name": "g", "arguments": "[]"}}},
        {"text": "d"},
    ]

    answer = said_in(Completion(msgspec.json.encode({"choices": choices})))

    assert answer == Said(("a", "r", "bc", "no", "d"), ("a", "bc", "d"), ("f", "g"), ("{}", "[]"))
    assert said_in(Completion(b'{"text":"t"}'), chat=False).contents == ("t",)
    assert said_in(Completion(b"[Music] hello"), chat=False).contents == ("[Music] hello",)
    assert said_in(Completion(b"RIFF", media_type="audio/wav")) == Said((), (), (), ())
    assert said_in(Completion(b'{"data":[{"embedding":[1]}]}')) == Said((), (), (), ())


def test_what_a_stream_says() -> None:
    """The same, put together from its events."""
    listening = Transcript()
    deltas = [
        {"reasoning_content": "r"},
        {"content": "a"},
        {"content": [{"type": "text", "text": "b"}, {"type": "image"}]},
        {"refusal": "no"},
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}, {"index": 1}]},
        {"function_call": {"name": "g", "arguments": "["}},
        {"function_call": {"arguments": "]"}},
    ]
    typed = StreamEvent(b'event: x\ndata: {"type":"transcript.text.delta","delta":"t"}\n\n', Chunk(), Weight.ANSWER)
    other = StreamEvent(b'data: {"type":"x","delta":{"a":1}}\n\n', Chunk(), Weight.ANSWER)

    for delta in deltas:
        listening.hear([event({"choices": [{"index": 0, "delta": delta}]}, Weight.ANSWER)])
    listening.hear([typed, other, StreamEvent(b"x", Chunk(), Weight.NOTHING), done()])

    assert listening.said() == Said(("r", "abt", "no"), ("abt",), ("f", "g"), ("{}", "[]"))


class ObjectionError(Exception):
    """What ends a watched stream."""


def refuse(name: str) -> NoReturn:
    """End the stream."""
    raise ObjectionError(name)


@pytest.mark.parametrize("pieces", [["a pro", "ject fal", "con b"], list("a project falcon b"), ["a project falcon b"]])
def test_a_watched_text_never_shows_what_is_looked_for(pieces: list[str]) -> None:
    """However it arrives, it ends before the first character of the term."""
    rewriter = Plain(Watch([terms("project falcon")], refuse))
    shown = ""

    with pytest.raises(ObjectionError, match="terms"):  # noqa: PT012 - whichever piece it is
        for piece in pieces:
            shown += rewriter.feed(piece)
        shown += rewriter.end()

    assert "p" not in shown


@pytest.mark.parametrize(
    ("guards", "text", "name"),
    [
        ([terms("falcon")], "falcon", "terms"),
        ([Length(5), terms("falcon")], "123456", "length"),
        ([Tripwire(KEY)], f"x{Tripwire(KEY).mark}", "tripwire"),
        ([terms("falcon"), Length(100)], "falconry is fine, a falconet too", None),
        ([], "anything", None),
    ],
)
def test_watching(guards: list[Sharp], text: str, name: str | None) -> None:
    """What is found at the end of a text counts as well; what is not found goes out unchanged."""
    rewriter = Plain(Watch(guards, refuse))

    try:
        shown = "".join([*map(rewriter.feed, text), rewriter.end()])
    except ObjectionError as objection:
        shown = str(objection)

    assert shown == (name or text)


def test_words_of_the_support_module() -> None:
    """An ordinary event is heard as its text."""
    listening = Transcript()

    listening.hear([word("hello")])

    assert listening.said().contents == ("hello",)
