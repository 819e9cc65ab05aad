"""The interface of explainers, and the function that runs them and collects their sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from app.core.call import Call, Target
from app.core.errors import GatewayError


class Inquiry(msgspec.Struct):
    """The call to explain; section `route` sets `targets`: those that it would go to, in order."""

    call: Call
    targets: tuple[Target, ...] = ()


class Explainer(Protocol):
    """Explains the effect of one feature."""

    @property
    def section(self) -> str:
        """Return the name of the section."""

    async def explain(self, inquiry: Inquiry) -> msgspec.Struct | None:
        """
        Return what the feature would do with the call, as a struct that can be encoded as JSON; None if nothing.

        Raises:
            GatewayError: The feature would refuse the call.
        """


class Refusal(msgspec.Struct, frozen=True):
    """The error with which the call would end, and the section that would raise it."""

    section: str
    status: int
    code: str
    message: str
    suggestion: str


class Explained(msgspec.Struct, frozen=True):
    """The sections up to the one that would refuse the call (all if none would), and that refusal."""

    sections: Mapping[str, msgspec.Struct]
    refusal: Refusal | None


async def explain(call: Call, explainers: Sequence[Explainer]) -> Explained:
    """Run `explainers` in order for `call`, up to the first that would refuse it."""
    inquiry = Inquiry(call)
    sections: dict[str, msgspec.Struct] = {}
    for explainer in explainers:
        name = explainer.section
        try:
            section = await explainer.explain(inquiry)
        except GatewayError as error:
            kind = error.kind
            return Explained(sections, Refusal(name, kind.status, kind.code, error.message, error.suggestion))
        if section is not None:
            sections[name] = section
    return Explained(sections, None)
