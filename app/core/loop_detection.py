"""
Requests that come back to the gateway that sent them: it is its own provider, directly or through others.

Each deployment names itself in the `via` of what it sends, as proxies do (RFC 9110, section 7.6.3), and refuses what
names it. Without that, every pass would multiply with the retries of the one before.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

import msgspec

from app.core.errors import LOOP_DETECTED, GatewayError

VIA: Final = "via"
PASSES_MAX: Final = 16  # of any gateways: longer chains are no chains
_BY: Final = "1.1 wizard-"
_MARK: Final = re.compile(rf"{re.escape(_BY)}([0-9a-f]{{16}})\b")
_VALUE_MAX_CHARS: Final = 1024


class Loop(msgspec.Struct, frozen=True, dict=True):
    """
    How a deployment knows its own requests.

    `mark` is the same for all of its replicas and different for others; a request may come by `passes_max` times before
    it is refused.
    """

    mark: str
    passes_max: int = 1

    @property
    def name(self) -> str:
        """Return how this deployment names itself."""
        return f"{_BY}{self.mark}"

    @cached_property
    def header(self) -> tuple[str, str]:
        """Return the header of what is sent on, where none came."""
        return VIA, self.name

    def passed(self, given: str) -> str:
        """
        Return the header's value for what is sent on, of the one that came; proxies on the way to us are left out.

        Raises:
            GatewayError: LOOP_DETECTED.
        """
        marks = _MARK.findall(given[:_VALUE_MAX_CHARS])
        if marks.count(self.mark) >= self.passes_max or len(marks) >= PASSES_MAX:
            raise GatewayError(LOOP_DETECTED, "The request has come back to the gateway that sent it to a provider.")
        return ", ".join([f"{_BY}{mark}" for mark in (*marks, self.mark)])
