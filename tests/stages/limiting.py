"""The stages of rate limits over a script, with buckets in memory on virtual time."""

from __future__ import annotations

import msgspec

from app.core.call import Attempt, Call, Reply, Target
from app.core.errors import GatewayError
from app.core.gcra import Rate
from app.core.limits.limiter import Limiter
from app.core.limits.rulebook import RuleBook
from app.core.pipeline import Handler, compose
from app.core.ports import Tokenizer
from app.core.rules import Measure, Rule, Scope, Standing
from app.core.signals import LimitExceeded, Signal
from app.core.tokens import Family
from app.stages.fallback import Fallback
from app.stages.rate_limit import RateLimit
from app.state.limits.memory import LocalLimits
from tests.support.calls import TARGET, FakeProvider, Step, a_call, asking
from tests.support.virtual_time import VirtualClock


def requests(amount: int, *per: Scope, shadow: bool = False, window_s: float = 60) -> Rule:
    """Return a rule of so many requests per minute."""
    rate = Rate.of(amount, window_s, amount)
    return Rule("requests", Measure.REQUESTS, amount, rate, per or (Scope.GLOBAL,), shadow=shadow)


def tokens(amount: int, *per: Scope, window_s: float = 60) -> Rule:
    """Return a rule of so many tokens per minute."""
    rate = Rate.of(amount, window_s, amount)
    return Rule("tokens", Measure.TOKENS, amount, rate, per or (Scope.GLOBAL,), reserve=4096)


def places(most: int, *per: Scope) -> Rule:
    """Return a rule of so many calls at the same time."""
    return Rule("places", Measure.CONCURRENCY, most, per=per or (Scope.GLOBAL,))


class House:
    """Both stages as a gateway has them; `told` are the signals, `journal` is that of the last call."""

    def __init__(
        self, clock: VirtualClock, *rules: Rule, script: tuple[Step, ...] = (), tokenizer: Tokenizer | None = None
    ) -> None:
        self.clock = clock
        self.told: list[Signal] = []
        self.limits = LocalLimits(clock)
        self.provider = FakeProvider(*script)
        limiter = Limiter(self.limits, self.told.append, tokenizer)
        self._calls = RateLimit(RuleBook(rules, of_targets=False).of_call, limiter, clock)
        self._attempts = RateLimit(RuleBook(rules, of_targets=True).of_attempt, limiter, clock)
        self.journal = a_call().journal

    def handler(self, inner: Handler[Call] | None = None) -> Handler[Call]:
        """Return what calls go through when the provider is asked at once, or something else is met first."""
        return compose([self._calls], inner or self.provider)

    def attempts(self) -> Handler[Attempt]:
        """Return what attempts go through."""
        return compose([self._attempts], self.provider)

    def walk(self, targets: tuple[Target, ...] = (TARGET,)) -> Handler[Call]:
        """Return what calls go through that may fall back on further targets."""
        triggers = {"rate_limit", "context_length", "timeout"}
        fallback = Fallback(lambda _call: targets, self.attempts(), triggers, self.told.append)
        return compose([self._calls], fallback)

    def call(self, text: str = "hi", **fields: object) -> Call:
        """Return a call that begins now."""
        made = a_call(asking(text, **fields), started=self.clock.now())
        self.journal = made.journal
        return made

    async def ask(self, text: str = "hi", **fields: object) -> Reply:
        """Make one call."""
        return await self.handler()(self.call(text, **fields))

    async def refused(self, call: Call | None = None, handler: Handler[Call] | None = None) -> GatewayError:
        """Make one call that must be refused."""
        try:
            await (handler or self.handler())(call or self.call())
        except GatewayError as error:
            return error
        raise AssertionError("the call was let through")

    async def levels(self) -> dict[str, int]:
        """Return what is left in each bucket."""
        return {each.claim.rule.name: each.remaining for each in await self.limits.levels()}

    def standings(self) -> dict[str, Standing]:
        """Return how the buckets of the last call stood."""
        return {each.claim.rule.name: each for each in self.journal.limits}

    def exceeded(self) -> list[tuple[str, bool]]:
        """Return which limits were exceeded, and whether in shadow."""
        return [(each.limit, each.shadow) for each in self.told if isinstance(each, LimitExceeded)]


def cached(call: Call, how: str = "hit") -> Call:
    """Return a call that the cache has answered."""
    call.journal.cache = how
    return call


def named(rule: Rule, name: str) -> Rule:
    """Return a rule under another name."""
    return msgspec.structs.replace(rule, name=name)


class Counter:
    """A tokenizer of one vocabulary, in which every text has `tokens`; `asked` is what it was asked to count."""

    def __init__(self, tokens: int, family: Family = Family.O200K) -> None:
        self._tokens = tokens
        self._family = family
        self.asked: list[str] = []

    async def count(self, text: str, family: Family) -> int | None:
        """Count, if that is its vocabulary."""
        self.asked.append(text)
        return self._tokens if family is self._family else None
