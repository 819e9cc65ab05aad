"""An explanation is put together from what each feature says."""

from __future__ import annotations

import msgspec

from app.core.errors import RATE_LIMITED, GatewayError
from app.core.explain.port import Inquiry, explain
from tests.support.calls import TARGET, a_call


class Said(msgspec.Struct, frozen=True):
    """What a feature has to say."""

    words: str


class Feature:
    """One that says something, nothing, or no; `heard` are the targets that were known when it was asked."""

    def __init__(self, section: str, says: Said | GatewayError | None, finds: bool = False) -> None:
        self.section = section
        self._says = says
        self._finds = finds
        self.heard: tuple[str, ...] | None = None

    async def explain(self, inquiry: Inquiry) -> Said | None:
        """Say it."""
        self.heard = tuple(target.name for target in inquiry.targets)
        if self._finds:
            inquiry.targets = (TARGET,)
        if isinstance(self._says, GatewayError):
            raise self._says
        return self._says


async def test_each_says_its_own() -> None:
    """Sections keep their order, who has nothing to say has none, and what one finds out the next ones know."""
    first, silent, last = Feature("first", Said("a"), finds=True), Feature("silent", None), Feature("last", Said("b"))

    explained = await explain(a_call(), (first, silent, last))

    assert explained.sections == {"first": Said("a"), "last": Said("b")}
    assert list(explained.sections) == ["first", "last"]
    assert explained.refusal is None
    assert (first.heard, last.heard) == ((), (TARGET.name,))


async def test_the_first_refusal_is_the_last_word() -> None:
    """Whoever stands behind the one that refuses is not asked, as it would not be by a call."""
    refusing = Feature("limits", GatewayError(RATE_LIMITED, "Too many."))
    behind = Feature("route", Said("b"))

    explained = await explain(a_call(), (Feature("first", Said("a")), refusing, behind))

    assert explained.refusal is not None
    assert (explained.refusal.section, explained.refusal.status, explained.refusal.message) == (
        "limits",
        429,
        "Too many.",
    )
    assert (list(explained.sections), behind.heard) == (["first"], None)
