"""
How many tokens a text has, without a tokenizer: within some 15 % for prose, code and JSON, in a few microseconds.

Characters are counted by kind (small letters, digits, Han, ...), and each kind costs what it costs on average in the
vocabulary of the model's family. The weights are least squares over prose, code, JSON and documentation, and for other
scripts over the Universal Declaration of Human Rights, with the published vocabularies of each family
(docs/rate-limits.md shows how good they are). Of a long text only samples are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Final
from zlib import adler32

from app.core.call import Call
from app.core.model import ChatRequest, Message, Part, Request, Tool

_MESSAGE_TOKENS = 4  # of the marks around each message
_ANSWER_TOKENS = 3  # of the mark at which the answer begins
# A picture of 1024 x 1024 in fine detail, and any in low detail, as OpenAI's guide to vision counts them.
IMAGE_TOKENS: Final = 765
LOW_DETAIL_TOKENS: Final = 85
_AUDIO_BYTES_PER_TOKEN = 2133  # base64 of a tenth of a second at 128 kbit/s
_FILE_BYTES_PER_TOKEN = 40  # base64 of a PDF of text: a page has some 60 KB and 1500 tokens
_SAMPLES, _SAMPLE_CHARS = 4, 512
_BYTE_MAX = 255
_SUMMED = 256  # bytes whose sum is below 65,521, whatever they are
_LOOKED_AT = 64  # bytes at either end of a picture that may say how detailed it is: the data may be megabytes

# The kinds of bytes of UTF-8 text.
_KINDS: Final[Sequence[bytes]] = (
    b"abcdefghijklmnopqrstuvwxyz",
    b" ",
    bytes(range(0x80, 0xC0)),  # not the beginning of a character
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"0123456789",
    bytes(byte for byte in range(0x80) if not chr(byte).isalnum() and byte not in b" \n"),
    b"\n",
    bytes(range(0xC0, 0xCA)),  # accented Latin letters
    bytes(range(0xCA, 0xD0)),  # Greek
    bytes(range(0xD0, 0xD5)),  # Cyrillic
    bytes(range(0xD5, 0xD8)),  # Hebrew, Armenian
    bytes(range(0xD8, 0xE0)),  # Arabic
    bytes([0xE0]),  # scripts of India, Thai
    bytes([0xE1, 0xE2]),  # letters of Vietnamese, Georgian and others; dashes and quotes
    bytes([0xE3]),  # Kana, and the punctuation of Han
    bytes(range(0xE4, 0xEA)),  # Han
    bytes(range(0xEA, 0xF0)),  # Hangul
    bytes(range(0xF0, 0x100)),  # emoji and rare scripts
)


class Family(Enum):
    """
    A vocabulary: hundredths of a token for a character of each kind.

    `low` and `high` are the two digits (to the base 256) of what each byte costs, for `bytes.translate`; no byte of
    ASCII has a high one, and in most vocabularies none at all, so that this is empty.
    """

    def __init__(self, *hundredths: int) -> None:
        costs = {byte: cost for kind, cost in zip(_KINDS, hundredths, strict=True) for byte in kind}
        self.low = bytes([costs[byte] % 256 for byte in range(256)])
        self.high = bytes([costs[byte] // 256 for byte in range(256)] if max(hundredths) > _BYTE_MAX else [])

    O200K = (22, 3, 0, 30, 58, 52, 103, 110, 42, 29, 46, 39, 42, 56, 85, 82, 78, 125)
    CL100K = (22, 4, 0, 29, 58, 51, 98, 280, 103, 53, 122, 87, 110, 132, 115, 110, 136, 240)
    CLAUDE = (23, 2, 0, 32, 66, 51, 148, 380, 126, 62, 113, 110, 157, 239, 107, 106, 153, 215)
    LLAMA = (22, 4, 0, 29, 58, 51, 98, 280, 43, 35, 122, 47, 53, 51, 71, 85, 80, 231)
    QWEN = (22, 5, 0, 27, 137, 44, 100, 260, 97, 37, 47, 47, 85, 50, 65, 63, 85, 100)


# By a part of the model's name. Whoever is not known is taken for the newest of OpenAI's.
_FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {
        "claude": Family.CLAUDE,
        "qwen": Family.QWEN,
        "llama": Family.LLAMA,
        "gpt-4": Family.CL100K,
        "gpt-3.5": Family.CL100K,
        "embedding": Family.CL100K,
    }
)
_FAMILY_NAME: Final = re.compile(r"claude|qwen|llama|gpt-4(?![o.])|gpt-3\.5|embedding", re.IGNORECASE)


def family_of(model: str) -> Family:
    """Return the vocabulary of a model by its name."""
    found = _FAMILY_NAME.search(model)
    return Family.O200K if found is None else _FAMILIES[found[0].lower()]


def text_tokens(text: str, family: Family = Family.O200K) -> int:
    """Estimate the tokens of a text."""
    if not text:
        return 0
    sample = text if len(text) <= _SAMPLES * _SAMPLE_CHARS else _sample(text)
    raw = sample.encode("utf-8", "replace")
    hundredths = _sum(raw.translate(family.low))
    if family.high and not sample.isascii():
        hundredths += 256 * _sum(raw.translate(family.high))
    return -(-hundredths * len(text) // (100 * len(sample)))


def _sum(values: bytes) -> int:
    """Add bytes up without a step for each: the lower half of an Adler-32 is their sum and one, modulo 65,521."""
    total = 0
    for at in range(0, len(values), _SUMMED):
        total += adler32(values[at : at + _SUMMED]) % 65_536 - 1
    return total


def prompt_tokens(request: Request, family: Family | None = None) -> int:
    """Estimate the tokens of everything that a request sends: texts, tools, pictures, sound and files."""
    text, other = prompt_parts(request)
    return other + text_tokens(text, family or family_of(request.model))


def prompt_of(call: Call) -> int:
    """Return the tokens of a call's prompt, worked out once; a changed request is counted anew."""
    known = call.journal.prompt
    if known is not None and known[0] is call.request:
        return known[1]
    tokens = prompt_tokens(call.request)
    call.journal.prompt = (call.request, tokens)
    return tokens


def prompt_parts(request: Request) -> tuple[str, int]:
    """Return all texts of a request as one, and how many tokens everything else has."""
    if not isinstance(request, ChatRequest):
        return "".join(request.text), 0
    fields = request.fields
    texts: list[str] = []
    other = _ANSWER_TOKENS + _MESSAGE_TOKENS * len(fields.messages)
    for message in fields.messages:
        content = message.content
        if isinstance(content, str):
            texts.append(content)
        elif content is not None:
            texts += [text for part in content for text in (part.text, part.refusal) if text]
            other += sum([_part_tokens(part) for part in content])
        if message.tool_calls is not None:
            texts += _calls(message)
    for tool in fields.tools or ():
        texts += _offer(tool)
    if bytes(fields.response_format):
        texts.append(bytes(fields.response_format).decode("utf-8", "replace"))
    return "".join(texts), other


def answer_tokens(request: Request) -> int | None:
    """Return how long the answer (each of its choices) may become, if the request says so."""
    if not isinstance(request, ChatRequest):
        return None
    return request.fields.max_completion_tokens or request.fields.max_tokens


def _sample(text: str) -> str:
    step = (len(text) - _SAMPLE_CHARS) // (_SAMPLES - 1)
    return "".join([text[at : at + _SAMPLE_CHARS] for at in range(0, _SAMPLES * step, step)])


def _part_tokens(part: Part) -> int:
    if part.type == "text":
        return 0
    image, audio, file = memoryview(part.image_url), memoryview(part.input_audio), memoryview(part.file)
    if image:
        ends = bytes(image[:_LOOKED_AT]) + bytes(image[-_LOOKED_AT:])
        return LOW_DETAIL_TOKENS if b'"low"' in ends else IMAGE_TOKENS
    return len(audio) // _AUDIO_BYTES_PER_TOKEN + len(file) // _FILE_BYTES_PER_TOKEN


def _calls(message: Message) -> Iterator[str]:
    for call in message.tool_calls or ():
        if call.function is not None:
            yield call.function.name or ""
            yield call.function.arguments or ""


def _offer(tool: Tool) -> Iterator[str]:
    spec = tool.function
    if spec is not None:
        yield spec.name
        yield spec.description or ""
        yield bytes(spec.parameters).decode("utf-8", "replace")
