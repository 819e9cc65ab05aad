"""
Requests in the providers' native dialects say what the canonical ones said: everything that the dialect can carry.

What a dialect has no form for is taken out of the expectation, so that this file also tells what gets lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.call import Target
from app.core.ports import Codec
from app.providers.canonical.stamps import Mint
from app.providers.registry import CODECS, Build
from tests.dialects.reading import from_bedrock, from_cohere, from_gemini, from_ollama
from tests.dialects.talking import (
    EFFORTS,
    FORM,
    MARK,
    SIGNED,
    WORD,
    Can,
    Json,
    optional,
    request,
    simplest,
    talks,
    tools,
)

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOTHING: st.SearchStrategy[Json] = st.just({})
THOUGHT = st.sampled_from([{}, {"reasoning_content": "Hm."}])
FORCED: Json = {"type": "function", "function": {"name": "f"}}
UNIT = st.sampled_from([0.0, 0.5, 1.0])
STOP = st.lists(WORD, min_size=1, max_size=3)
SAMPLING = optional(temperature=UNIT, top_p=UNIT, top_k=st.integers(1, 9), seed=st.integers(0, 9), stop=STOP)
PENALTIES = optional(frequency_penalty=st.sampled_from([-1.0, 0.5]), presence_penalty=st.sampled_from([-1.0, 0.5]))
JSON_FORM = FORM | st.just({"type": "json_object"})


def codec(name: str) -> Codec:
    """Return the codec of a dialect."""
    return CODECS[name](Build(Mint(lambda: 0.0, lambda: 0.5)))


def sent(name: str, model: str, body: Json) -> Json:
    """Return what a provider is sent of a body, of which nothing may be dropped."""
    encoded = codec(name).encode(request(body), Target("p", model))
    assert encoded.dropped == ()
    found: Json = json.loads(encoded.body)
    return found


def offers(choices: list[object], strict: st.SearchStrategy[Json] = NOTHING) -> st.SearchStrategy[Json]:
    """Return tools with a choice of them, or none."""
    return NOTHING | st.fixed_dictionaries({"tools": tools(NOTHING, strict)}, optional={"tool_choice": _any(choices)})


def _any(values: list[object]) -> st.SearchStrategy[object]:
    return st.sampled_from(values)


def without(turn: Json, *names: str) -> Json:
    """Return an object without some members."""
    return {name: value for name, value in turn.items() if name not in names}


def schema_only(body: Json) -> Json:
    """Take the name and the strictness out of the form of the answer."""
    form = body.get("response_format", {})
    if "json_schema" not in form:
        return body
    return {
        **body,
        "response_format": {"type": "json_schema", "json_schema": {"schema": form["json_schema"]["schema"]}},
    }


def numbered(messages: list[Json]) -> list[Json]:
    """Give calls and their results numbers in place of ids."""
    asked, answered = count(), count()
    found = []
    for turn in messages:
        calls = [{**call, "id": f"call_{next(asked)}"} for call in turn.get("tool_calls", ())]
        numbers: Json = {"tool_calls": calls} if calls else {}
        if "tool_call_id" in turn:
            numbers["tool_call_id"] = f"call_{next(answered)}"
        found.append({**turn, **numbers})
    return found


def texts_joined(content: str | list[Json], by: str) -> str | list[Json]:
    """Join a content of nothing but texts."""
    if isinstance(content, str) or any(part["type"] != "text" for part in content):
        return content
    return by.join(part["text"] for part in content)


def nameless(content: str | list[Json]) -> str | list[Json]:
    """Take the names of files out of a content."""
    if isinstance(content, str):
        return content
    return [{**part, "file": {**part["file"], "filename": None}} if "file" in part else part for part in content]


def marked_at_the_end(turn: Json) -> Json:
    """Return the content of a tool's result with its marks where the result ends."""
    if turn["role"] != "tool" or isinstance(turn["content"], str):
        return {}
    parts = [without(part, "cache_control") for part in turn["content"]]
    if any("cache_control" in part for part in turn["content"]):
        parts[-1]["cache_control"] = {"type": "ephemeral"}
    return {"content": simplest(parts)}


@SLOW
@given(
    talks(SIGNED, MARK, Can(addresses=False, errors=True)),
    optional(top_k=st.integers(1, 9), stop=STOP, response_format=FORM),
    NOTHING | optional(temperature=UNIT) | optional(top_p=st.sampled_from([0.5])),
    offers(["auto", "required", FORCED], NOTHING | st.just({"strict": True})),
)
def test_bedrock(talk: list[Json], knobs: Json, sampling: Json, offer: Json) -> None:
    """Converse carries all but prose of thoughts, which is in their entries, and where within a result a mark was."""
    body = {"messages": talk, "max_tokens": 8000, **knobs, **sampling, **offer}

    back = from_bedrock(sent("bedrock", "anthropic.claude-sonnet-4-5-v1:0", body))

    messages = [{**without(turn, "reasoning_content"), **marked_at_the_end(turn)} for turn in talk]
    expected = {**body, "messages": messages}
    if "response_format" in knobs:
        form = without(knobs["response_format"]["json_schema"], "strict")
        expected["response_format"] = {"type": "json_schema", "json_schema": form}
    assert back == expected


@SLOW
@given(
    talks(NOTHING, NOTHING, Can(errors=True)),
    SAMPLING,
    PENALTIES,
    optional(n=st.integers(2, 4), response_format=JSON_FORM, reasoning_effort=EFFORTS),
    offers(["auto", "required", "none", FORCED]),
)
def test_gemini(talk: list[Json], sampling: Json, penalties: Json, more: Json, offer: Json) -> None:
    """Gemini carries all but ids of calls, names of files and of schemas, and borders within results."""
    body = {"messages": talk, "max_tokens": 99, **sampling, **penalties, **more, **offer}

    back = from_gemini(sent("gemini", "gemini-2.5-flash", body))

    messages = [
        {**turn, "content": texts_joined(turn["content"], "") if turn["role"] == "tool" else nameless(turn["content"])}
        for turn in numbered(talk)
    ]
    assert back == schema_only({**body, "messages": messages})


@SLOW
@given(
    talks(THOUGHT, NOTHING, Can(files=False)),
    SAMPLING,
    PENALTIES,
    optional(response_format=JSON_FORM, reasoning_effort=EFFORTS),
    offers(["required", "none"]),
)
def test_cohere(talk: list[Json], sampling: Json, penalties: Json, more: Json, offer: Json) -> None:
    """Cohere carries all but names of schemas, borders between texts, and thoughts that led to no call."""
    body = {"messages": talk, "max_tokens": 99, **sampling, **penalties, **more, **offer}

    back = from_cohere(sent("cohere", "command-a-03-2025", body))

    messages = []
    for turn in talk:
        kept = turn if "tool_calls" in turn else without(turn, "reasoning_content")
        messages.append({**kept, "content": texts_joined(turn["content"], "")})
    assert back == schema_only({**body, "messages": messages})


@SLOW
@given(
    talks(THOUGHT, NOTHING, Can(addresses=False, files=False)),
    SAMPLING,
    PENALTIES,
    optional(response_format=JSON_FORM, reasoning_effort=EFFORTS),
    NOTHING | st.fixed_dictionaries({"tools": tools(NOTHING, NOTHING)}),
)
def test_ollama(talk: list[Json], sampling: Json, penalties: Json, more: Json, offer: Json) -> None:
    """Ollama carries all but names of schemas, and where among the texts a picture stood."""
    body = {"messages": talk, "max_tokens": 99, **sampling, **penalties, **more, **offer}

    back = from_ollama(sent("ollama", "llama3.2", body))

    assert back == schema_only({**body, "messages": [apart(turn) for turn in talk]})


def apart(turn: Json) -> Json:
    """Put a turn's pictures beside its text."""
    if isinstance(turn["content"], str):
        return turn
    texts = [part["text"] for part in turn["content"] if part["type"] == "text"]
    urls: list[str] = [part["image_url"]["url"] for part in turn["content"] if part["type"] == "image_url"]
    images = {"images": [url.partition(",")[2] for url in urls]} if urls else {}
    return {**turn, "content": "\n".join(texts), **images}


@SLOW
@given(talks(SIGNED, MARK), SAMPLING, PENALTIES, offers(["auto", FORCED]), st.sampled_from(["azure", "openai"]))
def test_openais_own(talk: list[Json], sampling: Json, penalties: Json, offer: Json, name: str) -> None:
    """OpenAI's dialect is the canonical one: a client of it gets its own body through, whatever is in it."""
    body: Mapping[str, Any] = {"messages": talk, **sampling, **penalties, **offer}

    assert sent(name, "deployed", dict(body)) == {"model": "deployed", **body}
