"""
Calls that are one call: what is kept of the first for those that repeat it, and the port that keeps it.

Whoever claims a name first answers it; the others wait, and get the same answer. Names are digests of the tenant and
the key that its client chose, so no tenant meets another's.
"""

from __future__ import annotations

import hashlib
from typing import Protocol, TypeAlias

import msgspec

from app.core.call import Target
from app.core.model import Completion


class Answered(msgspec.Struct, frozen=True):
    """A complete answer, who gave it, and to which request (`fingerprint` is a digest of all its bytes)."""

    fingerprint: bytes
    completion: Completion
    target: Target | None = None

    @property
    def size(self) -> int:
        """Return its bytes, about."""
        native = self.completion.native
        return len(self.completion.raw) + (0 if native is None else len(native.raw))


class Leading(msgspec.Struct, frozen=True):
    """The claim was the first: whoever has this answers, and then calls `keep` or `give_up` with it."""

    name: str
    token: str


class Busy(msgspec.Struct, frozen=True):
    """Somebody else is answering the same request."""

    name: str


class Different(msgspec.Struct, frozen=True):
    """The name belongs to another request."""


Claim: TypeAlias = Leading | Busy | Different | Answered


class Repeats(Protocol):
    """
    Knows which calls are under way or answered, for as long as their answers are kept.

    Where shared state is out of reach and that is the policy, `claim` raises STATE_UNAVAILABLE.
    """

    async def claim(self, name: str, fingerprint: bytes) -> Claim:
        """Say what becomes of a call: it is the first, it waits, it is a different one, or it is answered already."""

    async def wait(self, busy: Busy, looks: int) -> None:
        """Wait until another claim may come to something else; `looks` says how often that was so already."""

    async def keep(self, leading: Leading, answered: Answered) -> None:
        """Keep an answer for those who wait and those who come later; one that is too large is given up."""

    async def give_up(self, leading: Leading) -> None:
        """Let the next claim be the first."""


def name_of(tenant: str, key: str) -> str:
    """Return the name of a key that a client of `tenant` chose."""
    return hashlib.sha256(f"{tenant}\0{key}".encode()).hexdigest()


def fingerprint_of(endpoint: str, body: bytes) -> bytes:
    """Return what tells one request from another: its endpoint and its body, byte for byte."""
    return hashlib.sha256(endpoint.encode() + b"\0" + body).digest()
