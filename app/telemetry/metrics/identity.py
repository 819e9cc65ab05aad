"""Counts who was refused, and what operators did with keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import CredentialRefused, KeyChanged, ModelForbidden, TokenKeysChanged
from app.telemetry.metrics.families import CounterFamily, Family, GaugeFamily, Merge
from app.telemetry.metrics.part import Counted, counted

_FORBIDDEN = "forbidden"


class IdentityCounts:
    """Refusals by their reason, changes of keys by what they were, and the keys by which tokens are checked."""

    def __init__(self) -> None:
        self._refused: dict[tuple[str], int] = {}
        self._changes: dict[tuple[str], int] = {}
        self._failed_fetches = 0
        self._token_keys = 0

    def counts(self) -> Iterable[Counted]:
        """Count everything about identities."""
        return (
            counted(CredentialRefused, self._credential),
            counted(ModelForbidden, self._forbidden),
            counted(KeyChanged, self._changed),
            counted(TokenKeysChanged, self._token_keys_changed),
        )

    def families(self) -> Iterator[Family]:
        """Yield the counts."""
        text = "Callers refused: missing, unknown, revoked or expired keys, and models that a key does not allow."
        yield CounterFamily("wizard_auth_refused", text, ("reason",), list(self._refused.items()))
        text = "Virtual keys created, revoked and rotated through this process."
        yield CounterFamily("wizard_key_changes", text, ("action",), list(self._changes.items()))
        text = "Published keys by which signed tokens are checked."
        yield GaugeFamily("wizard_token_keys", text, (), [((), self._token_keys)], Merge.MAX)
        text = "Fetches of an issuer's published keys that failed."
        yield CounterFamily("wizard_token_key_fetches_failed", text, (), [((), self._failed_fetches)])

    def _credential(self, signal: CredentialRefused) -> None:
        self._refused[(signal.reason,)] = self._refused.get((signal.reason,), 0) + 1

    def _forbidden(self, _signal: ModelForbidden) -> None:
        self._refused[(_FORBIDDEN,)] = self._refused.get((_FORBIDDEN,), 0) + 1

    def _changed(self, signal: KeyChanged) -> None:
        self._changes[(signal.action,)] = self._changes.get((signal.action,), 0) + 1

    def _token_keys_changed(self, signal: TokenKeysChanged) -> None:
        self._token_keys = signal.keys
        self._failed_fetches += signal.reason != ""
