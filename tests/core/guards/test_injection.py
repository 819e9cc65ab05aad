"""Signs of prompt injection: what is found, what is not complained of, and who is scored by what."""

from __future__ import annotations

import time

import pytest

from app.core.guards.guard import Ask, Complaint, Passage, Prompt, Said, Source
from app.core.guards.injection import Injection
from app.core.guards.seen import prompt_of
from app.core.model import Completion, PlainRequest
from app.inspection.patterns import Re2Patterns
from tests.core.guards.samples import ATTACKS, HARMLESS, HARMLESS_TOOL_RESULTS, TOOL_ATTACKS
from tests.support.calls import asking

GUARD = Injection(Re2Patterns(), 0.5, 0.5)


async def nobody(_request: PlainRequest) -> Completion:
    """Be asked by nobody."""
    raise AssertionError("a model was asked")


def prompt(*passages: tuple[Source, str]) -> Prompt:
    """Return a prompt of these texts."""
    made = [Passage(source, text, f"messages[{index}].content") for index, (source, text) in enumerate(passages)]
    request = asking()
    return Prompt(request.operation, request.model, tuple(made), (), request)


async def complaint(*passages: tuple[Source, str]) -> Complaint | None:
    """Let the guard look at these texts."""
    ask: Ask = nobody
    return await GUARD.check_prompt(prompt(*passages), ask)


@pytest.mark.parametrize("text", ATTACKS)
async def test_attacks_of_users_are_found(text: str) -> None:
    """In several languages, hidden or not."""
    found = await complaint(("user", text))

    assert found is not None
    assert (found.reason, found.where) == ("user_text", "messages[0].content")
    assert 0.5 <= found.score <= 1.0


@pytest.mark.parametrize("text", [*TOOL_ATTACKS, *ATTACKS])
async def test_attacks_in_tool_results_are_found(text: str) -> None:
    """Also those that would be ordinary words of a user, and however much harmless text is around them."""
    padding = "Harmless words of a long document. " * 500

    found = await complaint(("user", "Summarise the document."), ("tool", f"{padding}\n{text}\n{padding}"))

    assert found is not None
    assert (found.reason, found.where) == ("tool_text", "messages[1].content")


@pytest.mark.parametrize(
    ("source", "text"),
    [*[("user", text) for text in HARMLESS], *[("tool", text) for text in (*HARMLESS_TOOL_RESULTS, *HARMLESS[:3])]],
)
async def test_harmless_texts_are_not_complained_of(source: Source, text: str) -> None:
    """Words that attacks use as well are no attack."""
    assert await complaint((source, text)) is None


async def test_what_the_operator_and_the_model_wrote_is_not_scored() -> None:
    """A system prompt may give any order."""
    assert await complaint(("system", ATTACKS[0]), ("assistant", ATTACKS[0])) is None


async def test_the_worst_passage_is_named() -> None:
    """Of several the one with the highest score."""
    found = await complaint(
        ("user", ATTACKS[1]), ("user", f"{ATTACKS[0]} {ATTACKS[4]} {ATTACKS[5]}"), ("user", ATTACKS[2])
    )

    assert found is not None
    assert found.where == "messages[1].content"


async def test_answers_are_not_its_affair() -> None:
    """It looks at prompts only."""
    assert await GUARD.check_answer(Said((ATTACKS[0],), (), (), ()), prompt(), nobody) is None


@pytest.mark.parametrize(
    "text",
    ["ignore " * 20_000, "A" * 200_000, "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQg" * 5_000, "[" * 100_000, "\u200b" * 50_000],
)
async def test_long_texts_take_no_long_time(text: str) -> None:
    """The time grows with the text and no faster, whatever the text."""
    began = time.process_time()

    await complaint(("tool", text))

    assert time.process_time() - began < 1.0


def test_a_request_is_taken_apart() -> None:
    """Each text with who wrote it and where it stands."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    request = asking(
        messages=[
            {"role": "developer", "content": "s"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "u"}, {"type": "image_url", "image_url": {"url": "x"}}],
            },
            {
                "role": "assistant",
                "content": [{"type": "refusal", "refusal": "no"}],
                "tool_calls": [call, {"id": "d", "type": "custom"}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "t"},
        ],
        tools=[{"type": "function", "function": {"name": "f"}}, {"type": "custom"}],
    )

    made = prompt_of(request, "team-a")

    assert [(each.source, each.text, each.path) for each in made.passages] == [
        ("system", "s", "messages[0].content"),
        ("user", "u", "messages[1].content[0].text"),
        ("assistant", "no", "messages[2].content[0].refusal"),
        ("assistant", '{"a":1}', "messages[2].tool_calls[0].function.arguments"),
        ("tool", "t", "messages[3].content"),
    ]
    assert (made.tools, made.key) == (("f",), "team-a")


@pytest.mark.parametrize("text", ["/" * 48, "QUJD" * 8 + "x", "A" * 40, "\U000e0041\U000e0042", "a\u200bb"])
async def test_what_hides_nothing(text: str) -> None:
    """Bytes that are no text, words that are no attack, and single marks that any editor leaves behind."""
    assert await complaint(("user", text)) is None
