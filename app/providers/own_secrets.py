"""Removes the gateway's own credentials from providers' answers; some providers quote them in errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

HIDDEN: Final = "***"
_OPEN: Final = frozenset({"accept", "accept-encoding", "content-type", "user-agent", "anthropic-version", "via"})
_SHORTEST: Final = 8  # a shorter secret would match ordinary text


class OwnSecrets:
    """
    The secrets that are sent to one provider.

    These are all `headers` that may carry a credential, without a scheme such as Bearer, and all `keys`.
    """

    def __init__(self, headers: Iterable[tuple[str, str]], keys: Iterable[str] = ()) -> None:
        found = [value for name, value in headers if name.lower() not in _OPEN]
        found += [value.partition(" ")[2] for value in found]  # the key behind `Bearer`
        known = {secret for secret in (*found, *keys) if len(secret) >= _SHORTEST}
        self._known = sorted(known, key=len, reverse=True)  # longest first: one may be part of another

    def hidden(self, text: str) -> str:
        """Return `text` without the secrets."""
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        return text

    def blotter(self) -> Blotter:
        """Return a filter for one answer that is passed on as bytes."""
        return Blotter(tuple(secret.encode() for secret in self._known))


class Blotter:
    """
    Masks secrets, longer ones first, in bytes that arrive in pieces.

    Each is replaced by as many stars, so that every length stays correct.
    """

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        self._secrets = secrets
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that are safe; a possible start of a secret waits for the next piece."""
        data = self._held + data
        for secret in self._secrets:
            if secret in data:
                data = data.replace(secret, b"*" * len(secret))
        shown = len(data) - max((_begun(secret, data) for secret in self._secrets), default=0)
        self._held = data[shown:]
        return data[:shown]

    def end(self) -> bytes:
        """Return the remaining bytes, which are no secret."""
        return self._held


def _begun(secret: bytes, data: bytes) -> int:
    """Return how many of the last bytes of `data` may be the start of a secret."""
    at = data.find(secret[:1], max(0, len(data) - len(secret) + 1))
    while at >= 0 and not secret.startswith(data[at:]):
        at = data.find(secret[:1], at + 1)
    return 0 if at < 0 else len(data) - at
