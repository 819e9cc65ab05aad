"""A session as lines of a file: first its metadata, then a line per turn. Append-only."""

from __future__ import annotations

import os

import msgspec

from app.core.sessions import Head, Raw, Session, Turn, grown, size_of

_NEWLINE = b"\n"
_READ_BYTES = 1_048_576


class _First(msgspec.Struct, frozen=True):
    id: str
    tenant: str
    created: float
    ttl_s: float
    model: str | None
    metadata: msgspec.Raw
    instructions: tuple[msgspec.Raw, ...]
    messages: tuple[msgspec.Raw, ...]


class _Added(msgspec.Struct, frozen=True, omit_defaults=True):
    messages: tuple[msgspec.Raw, ...]
    instructions: tuple[msgspec.Raw, ...] | None = None


def first_line(session: Session) -> bytes:
    """Return the first line of the file of `session`."""
    head = session.head
    first = _First(
        id=head.id,
        tenant=head.tenant,
        created=head.created,
        ttl_s=head.ttl_s,
        model=head.model,
        metadata=msgspec.Raw(head.metadata),
        instructions=_raws(session.instructions),
        messages=_raws(session.messages),
    )
    return msgspec.json.encode(first) + _NEWLINE


def turn_line(turn: Turn) -> bytes:
    """Return the line of a turn."""
    instructions = None if turn.instructions is None else _raws(turn.instructions)
    return msgspec.json.encode(_Added(_raws(turn.messages), instructions)) + _NEWLINE


def read_lines(content: bytes, expires: float) -> Session:
    """
    Return the session in a file; an incomplete last line, left by a crash, is ignored.

    Raises:
        msgspec.MsgspecError: It is not the file of a session.
    """
    begin, *turns = content[: whole_lines(content)].split(_NEWLINE)[:-1] or [b""]
    first = msgspec.json.decode(begin, type=_First)
    instructions, messages = _bytes(first.instructions), _bytes(first.messages)
    head = Head(
        id=first.id,
        tenant=first.tenant,
        created=first.created,
        expires=expires,
        ttl_s=first.ttl_s,
        model=first.model,
        metadata=bytes(first.metadata),
        messages=len(messages),
        size=size_of(instructions) + size_of(messages),
    )
    session = Session(head, instructions, messages)
    for line in turns:
        added = msgspec.json.decode(line, type=_Added)
        replaced = None if added.instructions is None else _bytes(added.instructions)
        session = grown(session, Turn(_bytes(added.messages), replaced))
    return session


def whole_lines(content: bytes) -> int:
    """Return how many bytes of a file are whole lines."""
    return content.rfind(_NEWLINE) + 1


def read_all(descriptor: int) -> bytes:
    """Return everything in an open file."""
    parts, at = [], 0
    while part := os.pread(descriptor, _READ_BYTES, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def write_all(descriptor: int, content: bytes) -> None:
    """Write to an open file, to its last byte."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _raws(messages: tuple[Raw, ...]) -> tuple[msgspec.Raw, ...]:
    return tuple([msgspec.Raw(message) for message in messages])


def _bytes(raws: tuple[msgspec.Raw, ...]) -> tuple[Raw, ...]:
    return tuple([bytes(raw) for raw in raws])
