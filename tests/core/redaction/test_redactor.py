"""What becomes of a request: every text in it, and nothing but the texts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import CONTENT_BLOCKED, GatewayError
from app.core.redaction.body import CHAT, PLAIN, Fields, Treat, rewritten
from app.core.redaction.editing import Plain
from app.core.redaction.finding import Finding, merged
from app.core.redaction.placeholders import PLACEHOLDER, Restore, Vault
from app.core.redaction.redactor import FINDS_MAX, Action
from tests.core.redaction.corpus import samples
from tests.core.redaction.parts import PATTERNS, found, inspector, redacted, redactor

MAIL = "anna@example.com"
CORPUS = tuple(samples())


def body(**fields: object) -> bytes:
    """Return a chat request."""
    return msgspec.json.encode({"model": "fast", "messages": [], **fields})


def said(content: object, **more: object) -> bytes:
    """Return a chat request with one message."""
    return body(messages=[{"role": "user", "content": content, **more}])


def restored(raw: bytes, vault: Vault) -> Any:  # noqa: ANN401 - JSON
    """Put everything back, as if the body were one answer."""
    restore = Plain(Restore(vault))
    return msgspec.json.decode(restore.feed(raw.decode()) + restore.end())


def test_a_clean_body_is_the_same_object() -> None:
    """Nothing is decoded, nothing is copied."""
    raw = said("nothing to see here")

    done = redacted(raw)

    assert done.raw is raw
    assert (done.hits, len(done.vault)) == ((), 0)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"messages": [{"role": "user", "content": MAIL}]}, "messages[0].content"),
        ({"messages": [{"role": "system", "content": MAIL}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": MAIL}]}]}, "messages[0].content[0].text"),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "refusal", "refusal": MAIL}]}]},
            "messages[0].content[0].refusal",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"filename": MAIL}}]}]},
            "messages[0].content[0].file.filename",
        ),
        ({"messages": [{"role": "user", "content": "hi", "name": MAIL}]}, "messages[0].name"),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": MAIL}]}, "messages[0].content"),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [
                            {
                                "id": "c",
                                "type": "function",
                                "function": {"name": "f", "arguments": f'{{"to":"{MAIL}"}}'},
                            }
                        ],
                    }
                ]
            },
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            {"messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": MAIL}}]},
            "messages[0].function_call.arguments",
        ),
        ({"messages": [{"role": "assistant", "reasoning_content": MAIL}]}, "messages[0].reasoning_content"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "description": MAIL}}]},
            "tools[0].function.description",
        ),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "f", "parameters": {"properties": {"a": {"enum": [MAIL]}}}},
                    }
                ]
            },
            "tools[0].function.parameters.properties.a.enum[0]",
        ),
        ({"functions": [{"name": "f", "description": MAIL}]}, "functions[0].description"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"description": MAIL}}}},
            "response_format.json_schema.schema.description",
        ),
        ({"user": MAIL}, "user"),
        ({"metadata": {"owner": MAIL}}, "metadata.owner"),
        ({"stop": ["\n", MAIL]}, "stop[1]"),
        ({"prediction": {"type": "content", "content": MAIL}}, "prediction.content"),
        ({"some_day": {"new": [[MAIL]]}}, "some_day.new[0][0]"),
        ({"note": f"data: {MAIL}"}, "note"),
        ({"note": f"{MAIL} is ;base64, or not"}, "note"),
    ],
)
def test_every_text_is_looked_at(fields: dict[str, object], path: str) -> None:
    """Wherever a value stands, it goes, the field is named, and it can come back."""
    raw = body(**fields)

    done = redacted(raw)

    assert MAIL.encode() not in done.raw
    assert [(hit.field, hit.detector, hit.count) for hit in done.hits] == [(path, "email", 1)]
    assert restored(done.raw, done.vault) == msgspec.json.decode(raw)


@pytest.mark.parametrize(
    "fields",
    [
        {"model": MAIL},
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"https://x.org/{MAIL}"}}]}
            ]
        },
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": MAIL}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": f"data:text/plain;base64,{MAIL}"}]}]},
        {
            "messages": [
                {"role": "assistant", "tool_calls": [{"id": MAIL, "function": {"name": MAIL, "arguments": "{}"}}]}
            ]
        },
        {"logit_bias": {"123456789012345": 1}, "seed": 4111111111111111},
        {
            "messages": [
                {
                    "role": "assistant",
                    "reasoning_details": [{"type": "reasoning.text", "signature": MAIL, "data": MAIL}],
                }
            ]
        },
    ],
)
def test_what_is_no_text_is_left_alone(fields: dict[str, object]) -> None:
    """Names of models and tools, identifiers, pictures and numbers reach the provider as they are."""
    raw = body(**fields)

    assert redacted(raw).raw is raw


def test_names_of_members_are_texts_too() -> None:
    """A key of free metadata can be a value; it is not named in the refusal, nor is the path below it."""
    raw = body(metadata={MAIL: {"x": MAIL}, "sk_1": MAIL}, **{f"for {MAIL}": 1})

    done = redacted(raw)

    assert MAIL.encode() not in done.raw
    assert [hit.field for hit in done.hits] == ["metadata.*", "metadata.*.x", "*"]
    assert restored(done.raw, done.vault) == msgspec.json.decode(raw)


def test_the_rest_keeps_its_bytes() -> None:
    """Spellings, numbers beyond all types and the order of fields stay where nothing was found."""
    odd = b'{ "model":"fast", "x" : [1.0e3, 123456789012345678901234567890 , "\\u00e9"],'
    raw = odd + b'"messages":[{"role":"user","content":"a@b.com"}] }'

    done = redacted(raw)

    assert done.raw == (
        b'{"model":"fast","x":[1.0e3, 123456789012345678901234567890 , "\\u00e9"],'
        b'"messages":[{"role":"user","content":"[EMAIL_1]"}]}'
    )


@pytest.mark.parametrize("spelled", ['{"note":"line\\nanna@example.com \\"x\\""}', '["\\u0061nna@example.com"]'])
@pytest.mark.parametrize("place", ["arguments", "content"])
def test_json_in_texts_stays_json(spelled: str, place: str) -> None:
    """The arguments of a tool, and results that are JSON: an escape before a find is not part of it."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": spelled}}
    message = (
        {"role": "assistant", "tool_calls": [call]} if place == "arguments" else {"role": "tool", "content": spelled}
    )

    done = redacted(body(messages=[message]))

    found_there = msgspec.json.decode(done.raw)["messages"][0]
    inner = found_there["tool_calls"][0]["function"]["arguments"] if place == "arguments" else found_there["content"]
    assert msgspec.json.decode(inner) == msgspec.json.decode(
        spelled.replace("\\u0061nna@", "anna@").replace(MAIL, "[EMAIL_1]")
    )


def test_the_same_value_has_the_same_placeholder() -> None:
    """Within a call, and from turn to turn, because conversations grow at their end."""
    first = body(user="bob@x.org", messages=[{"role": "user", "content": f"{MAIL} and c@d.org"}])
    second = body(
        user="bob@x.org",
        messages=[{"role": "user", "content": f"{MAIL} and c@d.org"}, {"role": "user", "content": f"e@f.org, {MAIL}"}],
    )

    raws = [redacted(first).raw, redacted(second).raw]

    assert b'"user":"[EMAIL_1]"' in raws[0]
    assert b'"[EMAIL_2] and [EMAIL_3]"' in raws[0]
    assert b'"[EMAIL_4], [EMAIL_2]"' in raws[1]
    assert raws[1].startswith(raws[0][: raws[0].index(b"}]")])


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (Action.MASK, "to [EMAIL], [EMAIL]"),
        (Action.HASH, "to [EMAIL:4ba93df4b3a6], [EMAIL:4ba93df4b3a6]"),
        (Action.TOKENIZE, "to [EMAIL_1], [EMAIL_1]"),
        (Action.REPORT, f"to {MAIL}, {MAIL}"),
    ],
)
def test_actions(action: Action, text: str) -> None:
    """What stands in the text afterwards; only a placeholder can come back."""
    done = redacted(said(f"to {MAIL}, {MAIL}"), redactor(email=action))

    assert msgspec.json.decode(done.raw)["messages"][0]["content"] == text
    assert [(hit.detector, hit.action, hit.count) for hit in done.hits] == [("email", action, 2)]
    assert len(done.vault) == (action is Action.TOKENIZE)


def test_block_changes_nothing() -> None:
    """The body is as it was, and the first thing that must not be there is named."""
    raw = said(f"{MAIL} 123-45-6789")

    done = redacted(raw, redactor(ssn=Action.BLOCK))

    assert done.raw is raw
    assert done.blocked is not None
    assert (done.blocked.field, done.blocked.detector) == ("messages[0].content", "ssn")
    assert len(done.hits) == 2


def test_a_blocked_answer_names_no_field() -> None:
    """What a model says is refused without saying what it was."""
    with pytest.raises(GatewayError) as caught:
        redactor(ssn=Action.BLOCK).replacement("ssn", "123-45-6789", Vault())

    assert (caught.value.kind, caught.value.param) == (CONTENT_BLOCKED, None)
    assert "123" not in caught.value.message


def test_what_nobody_set_an_action_for_is_reported() -> None:
    """A detector from outside that nobody configured changes nothing."""
    assert redactor().action_of("unheard_of") is Action.REPORT


def test_own_patterns_and_the_allow_list() -> None:
    """A configured pattern is one more detector; allowed values and shapes of values pass."""
    chosen = inspector("email", own="TCK-[0-9]+", allow=["Support@Example.com", "*@acme.org"])

    values = found("TCK-12 support@example.com x@ACME.org y@b.com", chosen)

    assert values == [("own", "TCK-12"), ("email", "y@b.com")]
    assert not chosen.is_clean(said("nothing"))  # nothing is known of what a pattern matches


def test_finds_of_others() -> None:
    """What was found outside counts like what is found here, unless it is allowed."""
    text = "Anna Schmidt in Berlin"
    also = {text: [Finding(0, 12, "person"), Finding(16, 22, "location")]}
    rules = redactor(inspector("email", allow=["berlin"]))

    done = rules.redact(said(text), CHAT, also)

    assert [(hit.detector, hit.count) for hit in done.hits] == [("person", 1)]
    assert rules.texts(said([{"type": "text", "text": text}, {"type": "text", "text": text}]), CHAT) == [text]


def test_too_many_finds_are_refused() -> None:
    """Nobody has so many addresses to send, and taking them out would hold up all others."""
    with pytest.raises(GatewayError) as caught:
        redacted(said("a@b.co " * (FINDS_MAX + 1)))

    assert (caught.value.kind, caught.value.param) == (CONTENT_BLOCKED, "messages[0].content")


def test_a_large_body_is_read_text_by_text() -> None:
    """Pictures are not looked at, texts are."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "a@b.com1234" * 20_000}}

    done = redacted(said([picture, {"type": "text", "text": MAIL}]))

    assert [hit.field for hit in done.hits] == ["messages[0].content[1].text"]


def test_other_operations() -> None:
    """Input of embeddings and the like: texts, lists of texts, and never numbers."""
    raw = msgspec.json.encode(
        {"model": "m", "input": [MAIL, "x"], "documents": [{"text": MAIL}], "prompt": [[1, 2]], "size": MAIL}
    )

    done = redactor().redact(raw, PLAIN)

    assert msgspec.json.decode(done.raw) == {
        "model": "m",
        "input": ["[EMAIL_1]", "x"],
        "documents": [{"text": "[EMAIL_1]"}],
        "prompt": [[1, 2]],
        "size": MAIL,
    }
    assert redactor().redact_text(f"x {MAIL}", done.vault) == "x [EMAIL_1]"
    assert redactor().redact_text("x", done.vault) == "x"


TEXTS = st.lists(
    st.one_of(
        st.sampled_from([sample.text for sample in CORPUS]),
        st.sampled_from(["[EMAIL_1]", "[Phone 2]", "[SECRET\\_1]", "[", "]", "\\", '"', "\n", "😀"]),
        st.text(max_size=20),
    ),
    max_size=6,
).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
def test_everything_comes_back(one: str, other: str) -> None:
    """Redacting and restoring a request is doing nothing, also if it holds what looks like a placeholder."""
    raw = body(user=one, messages=[{"role": "user", "content": one}, {"role": "tool", "content": other}])

    done = redacted(raw)

    texts = [
        msgspec.json.decode(done.raw)["user"],
        *[each["content"] for each in msgspec.json.decode(done.raw)["messages"]],
    ]
    back = [(restore := Plain(Restore(done.vault))).feed(text) + restore.end() for text in texts]
    assert back == [one, one, other]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([sample for sample in CORPUS if sample.detector]), st.booleans())
def test_no_find_gets_past_the_triggers(sample: Any, ascii_only: bool) -> None:  # noqa: ANN401
    """However a client spells its JSON, a body with a find is never taken for a clean one."""
    spelled = msgspec.json.encode(sample.text).decode()
    if ascii_only:
        spelled = "".join(char if char.isascii() else f"\\u{ord(char):04x}" for char in spelled)
    raw = b'{"model":"m","messages":[{"role":"user","content":%b}]}' % spelled.replace("/", "\\/").encode()

    done = redacted(raw)

    assert sum(hit.count for hit in done.hits) >= 1


def test_overlapping_finds_become_one() -> None:
    """Nothing that anybody found is left over; the name is that of whoever comes first."""
    ranks = {"a": 0, "b": 1}

    joined = merged(
        [Finding(5, 9, "b"), Finding(0, 6, "b"), Finding(8, 12, "a"), Finding(20, 21, "b")], ranks.__getitem__
    )

    assert joined == [Finding(0, 12, "a"), Finding(20, 21, "b")]


def test_placeholders_cannot_be_told_from_the_outside() -> None:
    """What goes upstream is only ever in the one spelling."""
    done = redacted(said(MAIL))

    assert PLACEHOLDER.findall(done.raw.decode()) == ["EMAIL_1"]


def test_rules_for_whole_values() -> None:
    """A value may be skipped or taken as a text as a whole, whatever is in it; white space around it is dropped."""
    upper = Fields({"a": Treat.SKIP}, Treat.TEXT)

    new = [
        rewritten(raw, rule, lambda _path, text, _json: text.upper())
        for raw, rule in ((b' {"a": "x", "b": "y"}', upper), (b'"x"', Treat.SKIP), (b'["x", null]', Treat.TEXT))
    ]

    assert new == [b'{"a":"x","B":"Y"}', b'"x"', b'["X",null]']


def test_patterns_that_are_none() -> None:
    """The engine says what is wrong with them."""
    with pytest.raises(ValueError, match="missing"):
        PATTERNS.compile("(")
