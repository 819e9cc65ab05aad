"""
The `UpstreamClient` that plays scripts, in process and without a network.

It reads and writes what a provider would, so that everything between it and the client is the real thing. Its only
sources of time and chance are the injected ones.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import cycle, islice
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from app.core.bodies import wrong_field
from app.core.clock import Clock
from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.core.model import Message, StreamOptions
from app.core.ports import Chance, HttpRequest
from app.providers.sim.plain import READERS, PlainAsked, Texts, listed, plain_answer
from app.providers.sim.reply import FOREVER_S, Body, SimReply, first_byte_s, stream_parts, whole_parts
from app.providers.sim.script import Play, Refusal, Script, parse
from app.providers.sim.wire import Answer, error_body

_SCRIPTS_MAX = 1024  # scripts come from clients, so what is remembered of them is bounded
_WORD = re.compile(r"\S+\s*|\s+")
_TEXT = ("all", "good", "gateways", "carry", "every", "word", "they", "are", "given", "and", "add", "none")
# What real providers send along, so that tests can see how far each of these gets.
_SENT_ALONG: Mapping[str, str] = {
    "x-request-id": "req_sim",
    "x-ratelimit-remaining-requests": "9999",
    "openai-processing-ms": "1",
    "set-cookie": "sim=1; HttpOnly",
}
_JSON: Mapping[str, str] = {"content-type": "application/json", **_SENT_ALONG}
_SSE: Mapping[str, str] = {"content-type": "text/event-stream; charset=utf-8", **_SENT_ALONG}


class _Common(msgspec.Struct, frozen=True):
    """The part of a request for text that scripts obey."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=16)] | None = None


class _ChatAsked(_Common, frozen=True, kw_only=True):
    """A chat request."""

    messages: list[Message]

    @property
    def last(self) -> str:
        """Return what the user said last."""
        return next((_text_of(message) for message in reversed(self.messages) if message.role == "user"), "")

    @property
    def prompt_tokens(self) -> int:
        """Return the length of the conversation; a word is a token."""
        return sum([len(_text_of(message).split()) for message in self.messages])


class _TextAsked(_Common, frozen=True, kw_only=True):
    """A legacy completion request, with one prompt or several; a token is a word."""

    prompt: Texts
    echo: bool | None = None
    max_tokens: Annotated[int, Meta(ge=0)] | None = None  # 0: nothing but the echo

    @property
    def prompts(self) -> list[str]:
        """Return the prompts."""
        return [" ".join(map(str, each)) if isinstance(each, list) else str(each) for each in listed(self.prompt)]

    @property
    def prompt_tokens(self) -> int:
        """Return the length of the prompts."""
        return sum([len(prompt.split()) for prompt in self.prompts])


_Asked: TypeAlias = _ChatAsked | _TextAsked


class SimUpstream:
    """
    The scripted provider.

    `open_replies` counts the calls under way, from `send` to the reply's `aclose`; `left_early` counts those that
    were cancelled, or closed before their end. Both are there for tests.
    """

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._chance = chance
        self._readers: Mapping[str, Callable[[bytes], _Asked | PlainAsked]] = {
            "completions": msgspec.json.Decoder(_TextAsked).decode,
            **READERS,
        }
        self._read_chat = msgspec.json.Decoder(_ChatAsked).decode
        self._play = lru_cache(_SCRIPTS_MAX)(parse)
        self._number = 0
        self.open_replies = 0
        self.left_early = 0

    async def send(self, request: HttpRequest) -> SimReply:
        """Play the script that the body's `model` names, up to the head of the answer; see the port."""
        self.open_replies += 1
        try:
            return await self._begin(request)
        except BaseException as error:
            self._note_end(isinstance(error, asyncio.CancelledError))
            raise

    async def _begin(self, request: HttpRequest) -> SimReply:
        path = request.url.partition("/v1/")[2]
        read = self._read_chat if path == "chat/completions" else self._readers.get(path)
        if read is None:
            return self._refuse(Refusal(404, f"The scripted provider has no {path[:100]!r}.", "not_found"))
        try:
            asked = read(request.body)
        except (ValueError, RecursionError) as error:
            return self._refuse(_unreadable(error))
        play = self._play(asked.model)
        if isinstance(play, Refusal):
            return self._refuse(play)
        script = self._chosen(play)
        if script.refuse:
            raise GatewayError(TARGET_UNAVAILABLE, "The scripted provider refuses the connection.")
        if script.hang:
            await self._clock.sleep(FOREVER_S)
            raise GatewayError(TARGET_UNAVAILABLE, "The scripted provider never answered.")
        if script.status is not None:
            await self._wait(script.first_token_s if script.head_s is None else script.head_s)
            return self._fail(script, script.status)
        if isinstance(asked, PlainAsked):
            await self._wait(script.first_token_s)
            self._number += 1
            return self._reply(200, _JSON, _plain(plain_answer(asked, self._number)))
        return await self._answer(asked, play.name, script)

    def _chosen(self, play: Play) -> Script:
        """Decide whether this call meets the script's fault."""
        play.calls += 1
        script = play.script
        if script.times is None and script.rate is None:
            return script
        early = script.times is not None and play.calls <= script.times
        unlucky = script.rate is not None and self._chance() < script.rate
        return script if early or unlucky else play.sound

    async def _answer(self, asked: _Asked, name: str, script: Script) -> SimReply:
        answer = self._composed(asked, name, script)
        stream = bool(asked.stream)
        begins_s = first_byte_s(script, answer, stream=stream)
        head_s = begins_s if script.head_s is None else min(script.head_s, begins_s)
        await self._wait(head_s)
        parts = (stream_parts if stream else whole_parts)(script, answer, begins_s - head_s)
        return self._reply(200, _SSE if stream else _JSON, Body(parts, script.ending[0]))

    def _composed(self, asked: _Asked, name: str, script: Script) -> Answer:
        self._number += 1
        prompts = asked.prompts if isinstance(asked, _TextAsked) else [asked.last]
        texts = [" ".join(islice(cycle(_TEXT), script.words))] * len(prompts) if name == "words" else prompts
        tool = None if isinstance(asked, _TextAsked) else script.tool
        if tool is not None:
            texts = [msgspec.json.encode({"text": text}).decode() for text in texts]
        said = [_WORD.findall(text) for text in texts]
        most = asked.max_completion_tokens or asked.max_tokens
        finish = "stop" if tool is None else "tool_calls"
        if most is not None and len(max(said, key=len)) > most:
            said, finish = [words[:most] for words in said], "length"
        return Answer(
            number=self._number,
            model=asked.model,
            created=int(self._clock.wall()),
            words=said[0],
            reasoning=_WORD.findall(script.reasoning),
            tool=tool,
            finish=script.finish or finish,
            prompt_tokens=asked.prompt_tokens,
            choices=(asked.n or 1) * len(said),
            include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
            legacy=isinstance(asked, _TextAsked),
            more=tuple(said[1:]),
            echoed=tuple(prompts) if isinstance(asked, _TextAsked) and asked.echo else (),
        )

    def _fail(self, script: Script, status: int) -> SimReply:
        headers = dict(_JSON)
        if script.retry_after_s is not None:
            headers["retry-after"] = str(math.ceil(script.retry_after_s))
            headers["retry-after-ms"] = str(round(script.retry_after_s * 1000))
        return self._reply(status, headers, _plain(error_body(status, f"The script answers {status}.", script.code)))

    def _refuse(self, refusal: Refusal) -> SimReply:
        body = error_body(refusal.status, refusal.message, refusal.code, refusal.param)
        return self._reply(refusal.status, _JSON, _plain(body))

    def _reply(self, status: int, headers: Mapping[str, str], body: Body) -> SimReply:
        return SimReply((status, headers), body, self._clock, self._note_end)

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            await self._clock.sleep(seconds)

    def _note_end(self, early: bool) -> None:  # noqa: FBT001 - the shape of a callback
        self.open_replies -= 1
        self.left_early += early


def _unreadable(error: Exception) -> Refusal:
    """Refuse a body that is none for its operation, by the field that is wrong where there is one."""
    if not isinstance(error, msgspec.ValidationError):
        return Refusal(400, f"The body cannot be read: {error}.", "invalid_value")
    wrong = wrong_field(error)
    return Refusal(400, wrong.message, "invalid_value", wrong.param)


def _plain(body: bytes) -> Body:
    return Body(iter([(None, body)]))


def _text_of(message: Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return "".join(part.text or "" for part in message.content or ())
