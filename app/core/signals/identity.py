"""Who was refused, what became of keys, and what operators did."""

from __future__ import annotations

from app.core.signals.signal import Signal


class CredentialRefused(Signal, frozen=True):
    """
    A caller could not say who it is.

    `reason` is missing, unknown, revoked or expired; `key_id` names the key, where it is one that was known.
    """

    request_id: str
    reason: str
    key_id: str


class CallForbidden(Signal, frozen=True):
    """A caller asked for what its key does not allow: a model, or a role of messages."""

    request_id: str
    key_id: str


class KeyChanged(Signal, frozen=True):
    """An operator has created, revoked or rotated a virtual key; `action` is one of these words."""

    key_id: str
    action: str


class TokenKeysChanged(Signal, frozen=True):
    """The keys by which signed tokens are checked were fetched, or could not be (`reason` is a fixed word then)."""

    keys: int
    reason: str = ""


class AdminActed(Signal, frozen=True):
    """
    Somebody asked the administration to change something, or was not let in.

    `action` is a method and the pattern of a path, both the gateway's own words (empty where there is no such route);
    `subject` is what was changed (the id of a key or session, a target), where that exists; `peer` is the address that
    the connection came from. Nothing of a body or a query is here, and nothing of a token.
    """

    request_id: str
    action: str
    subject: str
    status: int
    admitted: bool
    peer: str
