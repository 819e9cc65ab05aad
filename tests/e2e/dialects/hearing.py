"""The three dialects from the front: what a client of each hears."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import anthropic
import openai

from tests.e2e.dialects.speaking import Heard

USER: Any = [{"role": "user", "content": "Hi"}]


class Clients(NamedTuple):
    """The official clients."""

    claude: anthropic.Anthropic
    gpt: openai.OpenAI


def hear(clients: Clients, front: str, model: str, *, stream: bool) -> Heard:
    """Ask as a client of the dialect `front` does, and return what its SDK understood."""
    return _HEARING[front](clients, model, stream)


def hear_chat(clients: Clients, model: str, stream: bool) -> Heard:
    """Ask for a chat completion."""
    if stream:
        options: Any = {"include_usage": True}
        with clients.gpt.chat.completions.stream(model=model, messages=USER, stream_options=options) as events:
            thought = "".join(
                getattr(event.chunk.choices[0].delta, "reasoning_content", "") or ""
                for event in events
                if event.type == "chunk" and event.chunk.choices
            )
            answer: Any = events.current_completion_snapshot
    else:
        answer = clients.gpt.chat.completions.create(model=model, messages=USER)
        thought = getattr(answer.choices[0].message, "reasoning_content", "") or ""
    (choice,) = answer.choices
    calls = tuple((call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ())
    finish = {"stop": "end", "tool_calls": "tools", "length": "length"}[choice.finish_reason]
    usage = answer.usage
    tokens = (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens)
    return Heard(choice.message.content or "", thought, calls, finish, tokens)


def hear_messages(clients: Clients, model: str, stream: bool) -> Heard:
    """Ask for a message."""
    if stream:
        with clients.claude.messages.stream(model=model, max_tokens=99, messages=USER) as events:
            message: Any = events.get_final_message()
    else:
        message = clients.claude.messages.create(model=model, max_tokens=99, messages=USER)
    blocks = message.content
    calls = tuple((block.name, block.input) for block in blocks if block.type == "tool_use")
    finish = {"end_turn": "end", "tool_use": "tools", "max_tokens": "length"}[message.stop_reason]
    cached = message.usage.cache_read_input_tokens or 0
    tokens = (message.usage.input_tokens + cached, cached, message.usage.output_tokens)
    text = "".join(block.text for block in blocks if block.type == "text")
    thought = "".join(block.thinking for block in blocks if block.type == "thinking")
    return Heard(text, thought, calls, finish, tokens)


def hear_response(clients: Clients, model: str, stream: bool) -> Heard:
    """Ask for a response."""
    response: Any
    if stream:
        last = None
        with clients.gpt.responses.stream(model=model, input="Hi") as events:
            for event in events:
                last = event
        assert last is not None
        response = last.response  # type: ignore[union-attr]
    else:
        response = clients.gpt.responses.create(model=model, input="Hi")
    items = response.output
    calls = tuple((item.name, json.loads(item.arguments)) for item in items if item.type == "function_call")
    thought = "".join(part.text for item in items if item.type == "reasoning" for part in item.summary)
    finish = "length" if response.status == "incomplete" else "tools" if calls else "end"
    usage = response.usage
    tokens = (usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens)
    return Heard(response.output_text, thought, calls, finish, tokens)


_HEARING: Mapping[str, Callable[[Clients, str, bool], Heard]] = {
    "chat": hear_chat,
    "anthropic": hear_messages,
    "responses": hear_response,
}
