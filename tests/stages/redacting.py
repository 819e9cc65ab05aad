"""A redaction stage in its surroundings."""

from __future__ import annotations

from collections.abc import Mapping

from app.core.call import Call
from app.core.per_route import PerRoute
from app.core.pipeline import Handler, compose
from app.core.redaction.redactor import Action, Redactor
from app.core.signals import Signal
from app.stages.redact import Outside, Redact, Rules
from tests.core.redaction.parts import EVERYTHING, redactor
from tests.support.calls import FakeProvider, Step


def rules(
    prompt: Redactor | None = None, answer: Redactor | None = None, outside: Outside | None = None, window: int = 128
) -> Rules:
    """Return the rules of a route; nothing is looked for where no redactor is given."""
    return Rules(prompt, answer, window, outside)


TOKENIZE = redactor()
MASK = redactor(EVERYTHING, default=Action.MASK)


class House:
    """A redaction stage over a script; `told` lists the signals."""

    def __init__(
        self, *script: Step, common: Rules | None = None, routes: Mapping[str, Rules | None] | None = None
    ) -> None:
        self.provider = FakeProvider(*script)
        self.told: list[Signal] = []
        self.stage = Redact(PerRoute(common or rules(TOKENIZE), routes or {}), self.told.append)

    @property
    def handler(self) -> Handler[Call]:
        """Return the composed pipeline."""
        return compose([self.stage], self.provider)

    @property
    def sent(self) -> Call:
        """Return the call that reached the provider last."""
        call = self.provider.asked[-1]
        assert isinstance(call, Call)
        return call
