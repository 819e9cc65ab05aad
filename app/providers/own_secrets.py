"""What a provider must never tell a caller: the gateway's own credentials, which some quote in their errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

HIDDEN: Final = "***"
_OPEN: Final = frozenset({"accept", "accept-encoding", "content-type", "user-agent", "anthropic-version", "via"})
_SHORTEST: Final = 8  # what is shorter is found in honest words, too, and guards nothing


class OwnSecrets:
    """
    The secrets that one provider is sent.

    Of the `headers` of every request all count that may carry a credential, but for a scheme in front. Of several
    `keys` one is sent.
    """

    def __init__(self, headers: Iterable[tuple[str, str]], keys: Iterable[str] = ()) -> None:
        found = [value for name, value in headers if name.lower() not in _OPEN]
        found += [value.partition(" ")[2] for value in found]  # the key behind `Bearer`
        known = {secret for secret in (*found, *keys) if len(secret) >= _SHORTEST}
        self._known = sorted(known, key=len, reverse=True)  # one may be a part of another

    def hidden(self, text: str) -> str:
        """Return `text` without them."""
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        return text

    def blotter(self) -> Blotter:
        """Return what takes them out of one answer that is passed on as it is."""
        return Blotter(tuple(secret.encode() for secret in self._known))


class Blotter:
    """
    Takes secrets, longer ones first, out of bytes that come in pieces.

    Each is followed by as many stars, so that every length stays true.
    """

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        self._secrets = secrets
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be shown by now: what may be the beginning of a secret waits for the next piece."""
        data = self._held + data
        for secret in self._secrets:
            if secret in data:
                data = data.replace(secret, b"*" * len(secret))
        shown = len(data) - max((_begun(secret, data) for secret in self._secrets), default=0)
        self._held = data[shown:]
        return data[:shown]

    def end(self) -> bytes:
        """Return what still waited: it was none."""
        return self._held


def _begun(secret: bytes, data: bytes) -> int:
    """Return how many of the last bytes of `data` may be the beginning of a secret."""
    at = data.find(secret[:1], max(0, len(data) - len(secret) + 1))
    while at >= 0 and not secret.startswith(data[at:]):
        at = data.find(secret[:1], at + 1)
    return 0 if at < 0 else len(data) - at
