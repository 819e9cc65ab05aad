"""What the next turn of a conversation is made of."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.messages import messages_of
from app.core.model import ChatRequest
from app.core.sessions import (
    Head,
    Session,
    Trim,
    Turn,
    answer_message,
    continued,
    emptied,
    grown,
    is_session_id,
    new_session_id,
    split,
)
from tests.support.calls import asking, chat_request

ALL = Trim(None, 0)


def said(role: str, text: str, **more: object) -> bytes:
    """Return a message."""
    return msgspec.json.encode({"role": role, "content": text, **more})


RULES, OTHER = said("system", "be brief"), said("developer", "be kind")
PAST = tuple(said(("user", "assistant")[n % 2], f"{n}") for n in range(6))


def a_session(*messages: bytes, instructions: tuple[bytes, ...] = ()) -> Session:
    """Return a session with messages."""
    return Session(Head("sess_1", "eve", 1.0, 2.0, 1.0), instructions, messages)


def one_each(request: ChatRequest) -> int:
    """Count a token for each message."""
    return len(request.fields.messages)


def sent(session: Session, request: ChatRequest, trim: Trim = ALL) -> list[str]:
    """Return what a provider is asked: the texts in their order."""
    found = continued(session, request, trim, one_each).request
    assert [message.content for message in found.fields.messages] == [
        msgspec.json.decode(message)["content"] for message in messages_of(found.raw)
    ]
    return [str(message.content) for message in found.fields.messages]


def test_the_past_comes_first() -> None:
    """Instructions, then what was said, then what is new; the rest of the request is as it was."""
    session = a_session(*PAST, instructions=(RULES,))
    request = chat_request(b'{"model":"fast","x": {"y":  1.50},"messages":[{"role":"user","content":"new"}],"seed":7}')

    found = continued(session, request, ALL, one_each)

    assert sent(session, request) == ["be brief", "0", "1", "2", "3", "4", "5", "new"]
    body = msgspec.json.decode(found.request.raw, type=dict[str, msgspec.Raw])
    assert (bytes(body["x"]), found.request.fields.seed) == (b'{"y":  1.50}', 7)
    assert found.new == Turn((b'{"role":"user","content":"new"}',))
    assert found.trimmed == 0
    assert found.request.origin is None


@pytest.mark.parametrize(
    ("kept", "given", "leading", "replaced"),
    [
        ((), (), [], None),
        ((RULES,), (), ["be brief"], None),
        ((), (RULES,), ["be brief"], (RULES,)),
        ((RULES,), (RULES,), ["be brief"], None),
        ((RULES,), (OTHER,), ["be kind"], (OTHER,)),
        ((RULES,), (RULES, OTHER), ["be brief", "be kind"], (RULES, OTHER)),
    ],
)
def test_instructions_stay_until_others_come(
    kept: tuple[bytes, ...], given: tuple[bytes, ...], leading: list[str], replaced: tuple[bytes, ...] | None
) -> None:
    """A client may send them each time, once, or others; they are never there twice."""
    request = chat_request(b'{"model":"m","messages":[%b]}' % b",".join([*given, said("user", "new")]))

    found = continued(a_session(*PAST[:2], instructions=kept), request, ALL, one_each)

    assert sent(a_session(*PAST[:2], instructions=kept), request) == [*leading, "0", "1", "new"]
    assert found.new == Turn((said("user", "new"),), replaced)


def test_instructions_in_the_middle_are_messages() -> None:
    """Only those that come first are what a conversation begins with."""
    assert split((RULES, OTHER, *PAST, RULES)) == ((RULES, OTHER), (*PAST, RULES))
    assert split(()) == ((), ())
    assert split((RULES,)) == ((RULES,), ())


@pytest.mark.parametrize(
    ("tokens", "answer", "kept"),
    [
        (7, 0, ["0", "1", "2", "3", "4", "5"]),
        (6, 0, ["2", "3", "4", "5"]),
        (5, 0, ["2", "3", "4", "5"]),
        (5, 2, ["4", "5"]),
        (3, 0, ["4", "5"]),
        (2, 0, []),
        (1, 0, []),
        (0, 9, []),
    ],
)
def test_the_oldest_is_left_out(tokens: int, answer: int, kept: list[str]) -> None:
    """As much as has to be, so that the answer has its room; what stays begins with what a user said."""
    found = continued(a_session(*PAST), asking("new"), Trim(tokens, answer), one_each)

    assert sent(a_session(*PAST), asking("new"), Trim(tokens, answer)) == [*kept, "new"]
    assert found.trimmed == 6 - len(kept)


@pytest.mark.parametrize(("tokens", "kept"), [(9, 8), (8, 6), (6, 4), (4, 2), (3, 2), (0, 2)])
def test_a_result_keeps_its_call(tokens: int, kept: int) -> None:
    """The turn that a tool was called in is sent whole, however little room there is; instructions do not hide it."""
    call = said("assistant", "", tool_calls=[{"id": "c", "function": {"name": "f", "arguments": "{}"}}])
    past = (*PAST, said("user", "6"), call)
    request = chat_request(b'{"model":"m","messages":[%b,%b]}' % (RULES, said("tool", "42", tool_call_id="c")))

    found = continued(a_session(*past, instructions=(RULES,)), request, Trim(tokens + 1, 0), one_each)

    texts = [message.content for message in found.request.fields.messages]
    assert texts == ["be brief", *[str(number) for number in range(8 - kept, 7)], "", "42"]
    assert found.trimmed == len(past) - kept


def test_what_does_not_fit_whole_is_left_out() -> None:
    """No message is cut."""
    found = continued(a_session(*PAST), asking("new"), Trim(7, 0), lambda request: 2 * len(request.fields.messages))

    assert [message.content for message in found.request.fields.messages] == ["4", "5", "new"]


def test_results_of_tools_are_not_left_without_their_calls() -> None:
    """A tool's message without the call before it is refused by every provider."""
    past = (said("user", "0"), said("assistant", "1"), said("tool", "2"), said("assistant", "3"), said("user", "4"))

    texts = [sent(a_session(*past), asking("new"), Trim(tokens, 0)) for tokens in (6, 5, 4, 3, 2)]

    assert texts == [["0", "1", "2", "3", "4", "new"], *[["4", "new"]] * 3, ["4", "new"]]


@given(st.lists(st.sampled_from(["user", "assistant", "tool"]), max_size=12), st.integers(0, 16))
def test_what_is_sent_fits_or_is_nothing(roles: list[str], tokens: int) -> None:
    """It is the end of the past, it fits, it begins with a user, and more of it would not do."""
    past = tuple(said(role, str(n)) for n, role in enumerate(roles))

    kept = sent(a_session(*past), asking("new"), Trim(tokens, 0))[:-1]

    assert kept == [str(n) for n in range(len(roles))][len(roles) - len(kept) :]
    if len(kept) < len(roles):
        assert len(kept) + 1 <= tokens or not kept
        assert not kept or roles[-len(kept)] == "user"
        assert not any(roles[-n] == "user" and n + 1 <= tokens for n in range(len(kept) + 1, len(roles) + 1))


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ({"role": "assistant", "content": "hi"}, {"role": "assistant", "content": "hi"}),
        (
            {"role": "assistant", "content": None, "refusal": "no", "annotations": [], "audio": None},
            {"role": "assistant", "content": None, "refusal": "no"},
        ),
        (
            {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}],
            },
        ),
        (
            {"role": "assistant", "content": "a", "reasoning_content": "hm", "reasoning_details": [{"sig": "x"}]},
            {"role": "assistant", "content": "a", "reasoning_details": [{"sig": "x"}]},
        ),
    ],
)
def test_an_answer_becomes_a_message(message: dict[str, Any], kept: dict[str, Any]) -> None:
    """In the form in which providers take it back; what has no value and prose of thinking are left out."""
    found = answer_message(msgspec.json.encode({"choices": [{"message": message}, {"message": {"content": "other"}}]}))

    assert found is not None
    assert msgspec.json.decode(found) == kept


@pytest.mark.parametrize("body", [b"{}", b'{"choices":[]}', b'{"choices":[{"text":"x"}]}'])
def test_no_answer_is_no_message(body: bytes) -> None:
    """Such as that of an older completion."""
    assert answer_message(body) is None


def test_a_session_grows() -> None:
    """The head counts what is there."""
    session = grown(a_session(*PAST[:2], instructions=(RULES,)), Turn(PAST[2:4], (OTHER, RULES)))

    assert session.messages == PAST[:4]
    assert (session.head.turns, session.head.messages) == (1, 4)
    assert session.head.size == sum(map(len, (*PAST[:4], OTHER, RULES)))
    assert grown(session, Turn(())).instructions == (OTHER, RULES)


def test_nothing_stays_of_what_was_said() -> None:
    """Of a session that has expired."""
    session = emptied(grown(a_session(*PAST, instructions=(RULES,)), Turn(PAST)))

    assert session == Session(Head("sess_1", "eve", 1.0, 2.0, 1.0))


def test_ids() -> None:
    """128 random bits, behind a word that no other value begins with by chance."""
    session_id = new_session_id(lambda count: bytes(range(count)))

    assert session_id == "sess_000102030405060708090a0b0c0d0e0f"
    assert [is_session_id(text) for text in (session_id, "sess_x", "session", "")] == [True, True, False, False]
