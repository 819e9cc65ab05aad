"""
The dialects that the conformance suite runs over. A new codec is one more line in `DIALECTS`, and a folder of goldens.

How a dialect frames its streams is the only thing the suite has to know about it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from zlib import crc32

import msgspec

from app.core.ports import Codec
from app.providers.canonical.stamps import Mint
from app.providers.registry import CODECS, Build

GOLDEN = Path(__file__).with_name("golden")
WALL_S = 1_700_000_000.0


@dataclass(frozen=True)
class Dialect:
    """
    One codec under test.

    `split` takes a recorded stream apart into what the provider sends one after the other, `tag` gives the name of the
    model that requests are encoded for, `like` the dialect whose recorded answers are its own as well.
    """

    name: str
    split: Callable[[bytes], list[bytes]] = field(repr=False)
    suffix: str
    tag: str = "m"
    like: str = ""
    options: Callable[[Build], Build] = field(default=lambda build: build, repr=False)

    def codec(self) -> Codec:
        """Return a fresh codec whose ids and time are always the same."""
        return CODECS[self.name](self.options(Build(Mint(lambda: WALL_S, _numbers().__next__))))

    @property
    def recordings(self) -> str:
        """Return the name of the dialect whose recordings these are."""
        return self.like or self.name

    def folder(self, *parts: str) -> Path:
        """Return a folder of its goldens."""
        return GOLDEN.joinpath(self.name, *parts)

    def answers(self) -> list[str]:
        """Return the names of its recorded whole answers."""
        return sorted(path.stem for path in GOLDEN.joinpath(self.recordings, "answers").glob("*.json"))

    def streams(self) -> list[str]:
        """Return the names of its recorded streams."""
        return sorted(path.stem for path in GOLDEN.joinpath(self.recordings, "streams").glob(f"*{self.suffix}"))

    def answer(self, name: str) -> bytes:
        """Return a recorded whole answer."""
        return GOLDEN.joinpath(self.recordings, "answers", f"{name}.json").read_bytes()

    def stream(self, name: str) -> list[bytes]:
        """Return a recorded stream as what is sent one after the other."""
        return self.split(GOLDEN.joinpath(self.recordings, "streams", f"{name}{self.suffix}").read_bytes())


def sse(recorded: bytes) -> list[bytes]:
    """Split an event stream into its frames."""
    return [frame + b"\n\n" for frame in recorded.split(b"\n\n") if frame.strip()]


def lines(recorded: bytes) -> list[bytes]:
    """Split lines."""
    return recorded.splitlines(keepends=True)


class _Recorded(msgspec.Struct):
    event: str
    payload: msgspec.Raw


def aws(recorded: bytes) -> list[bytes]:
    """Frame events as AWS does; they are recorded as JSON, so that people can read them."""
    events = msgspec.json.decode(recorded, type=list[_Recorded])
    return [aws_message({":event-type": item.event, ":message-type": "event"}, bytes(item.payload)) for item in events]


def aws_message(headers: dict[str, str], payload: bytes) -> bytes:
    """Return one message of AWS's event streams."""
    packed = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value.encode())) + value.encode()
        for name, value in {**headers, ":content-type": "application/json"}.items()
    )
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    head = prelude + struct.pack(">I", crc32(prelude))
    message = head + packed + payload
    return message + struct.pack(">I", crc32(message))


DIALECTS = (
    Dialect("anthropic", sse, ".sse", "claude-sonnet-4-5"),
    Dialect("bedrock", aws, ".json", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    Dialect("cohere", sse, ".sse", "command-a-03-2025"),
    Dialect("gemini", sse, ".sse", "gemini-2.5-flash"),
    Dialect("ollama", lines, ".ndjson", "llama3.2"),
    Dialect("openai", sse, ".sse", "gpt-4o-mini"),
    Dialect("openai-responses", sse, ".sse", "gpt-5"),
)
FOREIGN = tuple(dialect for dialect in DIALECTS if dialect.name != "openai")  # those that translate
# OpenAI's own dialect, at both kinds of addresses: what passes is not translated.
PASSING = (Dialect("azure", sse, ".sse", "gpt-4o-mini"), Dialect("openai", sse, ".sse", "gpt-4o-mini"))
VERTEX = Dialect("vertex", sse, ".sse", "gemini-2.5-flash", like="gemini")
COLUMNS = tuple(sorted((*FOREIGN, *PASSING, VERTEX), key=lambda dialect: dialect.name))  # those of the matrix


def _numbers() -> Iterator[float]:
    """Count up in steps that make short, different ids."""
    return (number / 2**52 for number in count(1))
