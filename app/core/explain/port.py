"""The sections of an explanation, and how they are put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from app.core.call import Call, Target
from app.core.errors import GatewayError


class Inquiry(msgspec.Struct):
    """A call that is asked about; `targets` are those it would go to, in order, once the section `route` knows them."""

    call: Call
    targets: tuple[Target, ...] = ()


class Explainer(Protocol):
    """One feature's say."""

    @property
    def section(self) -> str:
        """Return the name of the section."""

    async def explain(self, inquiry: Inquiry) -> msgspec.Struct | None:
        """
        Return what the feature would do with the call, as a struct that JSON can hold; None if nothing.

        Raises:
            GatewayError: It would refuse it.
        """


class Refusal(msgspec.Struct, frozen=True):
    """The call would end here: in which section, with which status and code, and why."""

    section: str
    status: int
    code: str
    message: str
    suggestion: str


class Explained(msgspec.Struct, frozen=True):
    """The sections as far as the call would come, and the refusal that would end it."""

    sections: Mapping[str, msgspec.Struct]
    refusal: Refusal | None


async def explain(call: Call, explainers: Sequence[Explainer]) -> Explained:
    """Ask one feature after another what it would do with `call`, up to the one that would refuse it."""
    inquiry = Inquiry(call)
    found: dict[str, msgspec.Struct] = {}
    for each in explainers:
        try:
            section = await each.explain(inquiry)
        except GatewayError as error:
            kind = error.kind
            return Explained(found, Refusal(each.section, kind.status, kind.code, error.message, error.suggestion))
        if section is not None:
            found[each.section] = section
    return Explained(found, None)
