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

    Args:
        headers: Those of every request; all that may carry a credential count, but for a scheme in front.

        keys: Where there are several, one of them is sent.
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
