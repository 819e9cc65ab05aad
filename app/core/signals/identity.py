"""Signals of authentication and authorization, of changes of keys, and of the admin API."""

from __future__ import annotations

from app.core.signals.signal import Signal


class CredentialRefused(Signal, frozen=True):
    """
    A caller was not authenticated.

    `reason` is missing, unknown, revoked or expired; `key_id` is the id of the key, or empty if it is unknown.
    """

    request_id: str
    reason: str
    key_id: str


class CallForbidden(Signal, frozen=True):
    """A caller used what its key does not allow: a model, or a role of messages."""

    request_id: str
    key_id: str


class KeyChanged(Signal, frozen=True):
    """An operator changed a virtual key; `action` is created, revoked or rotated."""

    key_id: str
    action: str


class TokenKeysChanged(Signal, frozen=True):
    """The keys that verify signed tokens were fetched, or could not be (then `reason` is a fixed word)."""

    keys: int
    reason: str = ""


class AdminActed(Signal, frozen=True):
    """
    A request to the admin API was to change something, or was refused.

    `action` is the method and the path pattern of the route (empty if there is none); `subject` is what was changed
    (the id of a key or session, a target), if it exists; `peer` is the address that the connection came from. Nothing
    of a body, a query or a token is included.
    """

    request_id: str
    action: str
    subject: str
    status: int
    admitted: bool
    peer: str
