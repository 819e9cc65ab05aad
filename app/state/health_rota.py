"""
Health probes shared through Redis: one process probes a provider for all.

A turn is a key whose lifetime is the interval between two probes; the process that creates it probes. If that process
dies, only the next probe is delayed. Without Redis each process probes for itself.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.health import Checked, Heard, Probing
from app.state.link import Command, Link, StateLostError

_LOOK_S: Final = 1.0  # between two looks at the results of others
_KEPT: Final = 3  # intervals for which a result is valid


class SharedRota:
    """The `Rota` in Redis."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._prefix = link.key_prefix

    def pause_s(self, probing: Probing) -> float:
        """Return the pause between two looks at turns and results."""
        return min(probing.interval_s, _LOOK_S)

    async def mine(self, probing: Probing) -> bool:
        """Take the turn, unless another process has it."""
        key, lasts_ms = f"{self._prefix}:probe:{probing.provider}", max(1, round(probing.interval_s * 1000))
        try:
            return await self._link.decide(Command(("SET", key, "1", "NX", "PX", lasts_ms))) is not None
        except StateLostError:
            return True

    async def tell(self, probing: Probing, checked: Checked) -> None:
        """Publish a result."""
        heard = Heard(checked.model, checked.up, checked.failures, checked.code, checked.took_s)
        lasts_ms = max(1, round(_KEPT * probing.interval_s * 1000))
        words = ("SET", self._told(probing), msgspec.json.encode(heard), "PX", lasts_ms)
        try:
            await self._link.decide(Command(words))
        except StateLostError:
            return

    async def heard(self, probing: Probing) -> Heard | None:
        """Return the latest result."""
        try:
            found = await self._link.decide(Command(("GET", self._told(probing))))
            return None if found is None else msgspec.json.decode(found, type=Heard)
        except (StateLostError, msgspec.DecodeError):
            return None

    def _told(self, probing: Probing) -> str:
        return f"{self._prefix}:probed:{probing.provider}"
