"""What the redaction would find in a prompt, and what would become of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec

from app.core.explain.port import Inquiry
from app.core.model import Request
from app.core.redaction.redactor import Action, Hit, blocked_by


class RedactionSection(msgspec.Struct, frozen=True):
    """All finds, by field and detector, and never what was found; detectors outside of the gateway are not asked."""

    finds: tuple[Hit, ...]


class ExplainRedaction(msgspec.Struct, frozen=True):
    """The section `redaction`; `find` returns what would be found in a request, and the request without it."""

    find: Callable[[Request], tuple[Sequence[Hit], Request]]
    section: ClassVar[str] = "redaction"

    async def explain(self, inquiry: Inquiry) -> RedactionSection | None:
        """
        Look at the prompt, which the sections below have without the finds; None if nothing is found.

        Raises:
            GatewayError: CONTENT_BLOCKED, for what must not pass.
        """
        hits, request = self.find(inquiry.call.request)
        for hit in hits:
            if hit.action is Action.BLOCK:
                raise blocked_by(hit.detector, hit.field)
        inquiry.call = msgspec.structs.replace(inquiry.call, request=request)
        return RedactionSection(tuple(hits)) if hits else None
