"""
What the scripted provider puts on the wire: the bytes of OpenAI's chat completions, and nothing simpler.

Written as templates, because load tests stand on it: what it costs is missing from what they measure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import zip_longest

import msgspec

_CALLERS_FAULT = "invalid_request_error"
_TYPES: Mapping[int, str] = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_encode = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, frozen=True):
    """
    What is to be said.

    `words` keep their white space, so that joined they are the text; of a tool call they are the arguments.
    `number` is the call's place in the life of the provider; `created` is Unix time. `legacy` answers have the form of
    completions that are no chat: text alone, `more` of it for further prompts, all of which have as many choices, and
    before each the prompt itself where it is `echoed`.
    """

    number: int
    model: str
    created: int
    words: list[str]
    reasoning: list[str]
    tool: str | None
    finish: str
    prompt_tokens: int
    choices: int
    include_usage: bool
    legacy: bool = False
    more: tuple[list[str], ...] = ()
    echoed: tuple[str, ...] = ()

    @property
    def texts(self) -> list[list[str]]:
        """Return the words of each choice."""
        return [words for words in (self.words, *self.more) for _ in range(self._each)]

    @property
    def echoes(self) -> list[str]:
        """Return what comes before the words of each choice."""
        return [prompt for prompt in self.echoed for _ in range(self._each)] or [""] * self.choices

    @property
    def _each(self) -> int:
        return self.choices // (1 + len(self.more))


def completion(answer: Answer) -> bytes:
    """Return a whole answer."""
    finish = _encode(answer.finish)
    choices = [
        b'{"index":%d,%b,"logprobs":null,"finish_reason":%b}' % (index, _content(answer, index), finish)
        for index in range(answer.choices)
    ]
    start = _start(answer, b"text_completion" if answer.legacy else b"chat.completion")
    return b'%b"choices":[%b],"usage":%b}' % (start, b",".join(choices), _usage(answer))


def error_body(status: int, message: str, code: str | None = None, param: str | None = None) -> bytes:
    """Return the body of a refused request."""
    kind = _TYPES.get(status, _CALLERS_FAULT if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error")
    return _encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


def script_error() -> bytes:
    """Return the error object of a provider that fails in mid-answer."""
    return error_body(500, "The script fails here.")


class Frames:
    """The frames of one streamed answer."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        kind, key = (b"text_completion", b"text") if answer.legacy else (b"chat.completion.chunk", b"delta")
        self._start = b'data: %b"choices":[' % _start(answer, kind)
        self._end = b'}],"usage":null}\n\n' if answer.include_usage else b"}]}\n\n"
        self._before = [b'%b{"index":%d,"%b":' % (self._start, index, key) for index in range(answer.choices)]
        self._after = b',"logprobs":null,"finish_reason":null' + self._end

    def opening(self) -> bytes:
        """Return what comes before any content: the role of each choice, where there are roles."""
        if self._answer.legacy:
            return b""
        delta = b'{"role":"assistant","content":%b,"refusal":null}' % (b'""' if self._answer.tool is None else b"null")
        return b"".join([before + delta + self._after for before in self._before])

    def content(self) -> Iterator[bytes]:
        """Yield an event per word and choice: the reasoning, then the text or the tool call (its name first)."""
        answer = self._answer
        if answer.legacy:
            if answer.echoed:
                yield from [
                    before + _encode(prompt) + self._after
                    for before, prompt in zip(self._before, answer.echoes, strict=True)
                ]
            for said in zip_longest(*answer.texts):
                spoken = [(before, word) for before, word in zip(self._before, said, strict=True) if word is not None]
                yield from [before + _encode(word) + self._after for before, word in spoken]
            return
        yield from self._deltas(b'{"reasoning_content":%b}', answer.reasoning)
        if answer.tool is None:
            yield from self._deltas(b'{"content":%b}', answer.words)
            return
        for index, before in enumerate(self._before):
            yield b'%b{"tool_calls":[{"index":0,%b}]}%b' % (before, _tool_call(answer, index, b'""'), self._after)
        yield from self._deltas(b'{"tool_calls":[{"index":0,"function":{"arguments":%b}}]}', answer.words)

    def closing(self) -> bytes:
        """Return what ends a good answer: the finish reason of each choice, the usage if asked for, `[DONE]`."""
        nothing = b'""' if self._answer.legacy else b"{}"
        after = b'%b,"logprobs":null,"finish_reason":%b%b' % (nothing, _encode(self._answer.finish), self._end)
        frames = [before + after for before in self._before]
        if self._answer.include_usage:
            frames.append(b'%b],"usage":%b}\n\n' % (self._start, _usage(self._answer)))
        frames.append(b"data: [DONE]\n\n")
        return b"".join(frames)

    def _deltas(self, template: bytes, words: list[str]) -> Iterator[bytes]:
        for word in words:
            after = template % _encode(word) + self._after
            for before in self._before:
                yield before + after


def _start(answer: Answer, kind: bytes) -> bytes:
    return b'{"id":"chatcmpl-sim%d","object":"%b","created":%d,"model":%b,"system_fingerprint":"sim",' % (
        answer.number, kind, answer.created, _encode(answer.model),
    )  # fmt: skip


def _content(answer: Answer, index: int) -> bytes:
    if answer.legacy:
        return b'"text":%b' % _encode("".join([answer.echoes[index], *answer.texts[index]]))
    return b'"message":%b' % _message(answer, index)


def _message(answer: Answer, index: int) -> bytes:
    text = _encode("".join(answer.words))
    said = b'"content":%b' % text
    if answer.tool is not None:
        said = b'"content":null,"tool_calls":[{%b}]' % _tool_call(answer, index, text)
    if answer.reasoning:
        said = b'"reasoning_content":%b,%b' % (_encode("".join(answer.reasoning)), said)
    return b'{"role":"assistant",%b,"refusal":null}' % said


def _tool_call(answer: Answer, index: int, arguments: bytes) -> bytes:
    return b'"id":"call_sim%d_%d","type":"function","function":{"name":%b,"arguments":%b}' % (
        answer.number, index, _encode(answer.tool), arguments,
    )  # fmt: skip


def _usage(answer: Answer) -> bytes:
    """Return OpenAI's usage object; a word is a token."""
    thought = len(answer.reasoning) * answer.choices
    said = sum(map(len, answer.texts)) + thought
    return (
        b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":0},'
        b'"completion_tokens_details":{"reasoning_tokens":%d}}'
    ) % (answer.prompt_tokens, said, answer.prompt_tokens + said, thought)
