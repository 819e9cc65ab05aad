"""
Budgets that replicas share: decided in Redis, or in this process while Redis is out of reach.

Without Redis, the policy `local` continues from the last known spending and allows at most `SHARE_ALONE` of each budget
on top. Redis gets the spending of that time, and the holds to release, when it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

import msgspec

from app.core.accounts import Account, Ahead, Charge, Hold, Level, Refused
from app.state.budgets.memory import Change, LocalBudgets
from app.state.budgets.redis import RedisAccounts, levels, reserved, settled
from app.state.link import Command, Fail, Follower, Link, StateLostError, arrived, out_of_reach

SHARE_ALONE: Final = 0.01
KNOWN_MAX: Final = 10_000  # accounts whose last level is kept
AHEAD_MAX: Final = 4  # sets of accounts that a call reserves ahead; more would mostly hold amounts in vain


class Reservation(msgspec.Struct, frozen=True):
    """A requested hold, and the future of its answer."""

    hold: Hold
    answer: asyncio.Future[Any]


class AskedAhead:
    """The `Ahead` of one call: reservations that ride with other commands, each on other accounts."""

    def __init__(self, budgets: SharedBudgets, link: Link, local: LocalBudgets, asked: Iterable[Reservation]) -> None:
        self._budgets = budgets
        self._link = link
        self._local = local
        self._asked = {each.hold.accounts: each for each in asked}

    async def take(self, charge: Charge) -> Hold | None:
        """Wait for the answer on these accounts, if at least the needed amount was requested."""
        hold, asked = None, self._asked.pop(charge.accounts, None)
        if asked is not None and not self._link.alight(asked.answer):
            if asked.hold.amount_nusd < charge.amount_nusd:
                self._budgets.give_back(asked)
            else:
                hold = await self._answer(asked, charge)
        self.drop()  # reservations for other targets must not get in the way of this one
        return hold

    def drop(self) -> None:
        """Give back the reservations that were not used."""
        while self._asked:
            self._budgets.give_back(self._asked.popitem()[1])

    async def _answer(self, asked: Reservation, charge: Charge) -> Hold | None:
        """Return the hold, or raise the refusal, unless the reserved amount was larger than the charge."""
        try:
            answer = await self._budgets.answer(asked)
        except StateLostError:
            return None
        if isinstance(answer, Hold):
            return answer
        exact = asked.hold.amount_nusd == charge.amount_nusd
        if exact and not any(answer.account in accounts for accounts in self._asked):
            self._budgets.refuse(answer)
        return None


class _Owed(msgspec.Struct):
    """What Redis does not know yet about one account: spent amounts, and holds to release."""

    account: Account
    amount_nusd: int = 0
    holds: list[str] = []


class SharedBudgets(Follower):
    """The `Budgets` of one replica among several; follows `link`."""

    def __init__(self, link: Link, local: LocalBudgets, fail: Fail) -> None:
        self._store = RedisAccounts(link.submit, link.key_prefix)
        self._link = link
        self._local = local
        self._fail = fail
        self._known: dict[str, int] = {}
        self._owed: dict[str, _Owed] = {}
        link.follow(self)

    def ahead(self, charges: Sequence[Charge]) -> Ahead | None:
        """Reserve ahead with the next pipeline: one hold for each set of accounts, of the highest amount."""
        if not self._link.up:
            return None
        highest: dict[tuple[Account, ...], int] = {}
        for charge in charges:
            highest[charge.accounts] = max(charge.amount_nusd, highest.get(charge.accounts, 0))
        if not 0 < len(highest) <= AHEAD_MAX:
            return None
        asked = [self._ask(Charge(*each), self._link.ride) for each in highest.items()]
        return AskedAhead(self, self._link, self._local, asked)

    async def reserve(self, charge: Charge) -> Hold:
        """Ask Redis; without it, apply the policy."""
        if self._link.up:
            with suppress(StateLostError):
                answer = await self.answer(self._ask(charge, self._link.submit))
                return answer if isinstance(answer, Hold) else self.refuse(answer)
        return await self._alone(charge)

    async def answer(self, asked: Reservation) -> Hold | Refused:
        """
        Wait for the answer; a hold that arrives when nobody waits any more is given back.

        Raises:
            StateLostError: There is no answer.
        """
        try:
            return reserved(await self._link.ask(asked.answer), asked.hold)
        except (StateLostError, asyncio.CancelledError):
            self.give_back(asked)
            raise

    def refuse(self, refused: Refused) -> NoReturn:
        """
        Refuse a call, and report that unless a replica did so in this period.

        Raises:
            GatewayError: INSUFFICIENT_QUOTA, always.
        """

        def answered(answer: asyncio.Future[Any]) -> None:
            if not arrived(answer) or answer.result():  # rather reported twice than not at all
                self._local.tell_exhausted(refused)

        if self._local.untold(refused.account):
            self._store.telling(refused.account).add_done_callback(answered)
        self._local.refuse(refused)

    def give_back(self, asked: Reservation) -> None:
        """Undo a reservation, whether it has arrived or not."""
        if self._link.alight(asked.answer):
            return

        def answered(answer: asyncio.Future[Any]) -> None:
            if not arrived(answer):
                self._owe(asked.hold, 0)
            elif isinstance(reserved(answer.result(), asked.hold), Hold):
                self.settle(asked.hold, 0)

        if asked.answer.done():
            answered(asked.answer)  # before the next command
        else:
            asked.answer.add_done_callback(answered)

    def _ask(self, charge: Charge, send: Callable[[Command], asyncio.Future[Any]]) -> Reservation:
        hold = Hold(self._local.new_id(), charge.accounts, charge.amount_nusd)
        return Reservation(hold, send(self._store.reservation(hold)))

    def settle(self, hold: Hold, amount_nusd: int) -> None:
        """Settle in the background, or later if Redis is out of reach."""
        if not self._link.up:
            self._owe(hold, amount_nusd)
            return
        if hold.alone:
            self._local.settle(hold, 0)

        def answered(answer: asyncio.Future[Any]) -> None:
            if answer.cancelled():
                return
            if answer.exception() is not None:
                self._owe(hold, amount_nusd)
                return
            changes = settled(answer.result(), hold.accounts)
            self._learn(changes)
            self._local.tell(changes)

        self._store.settling(hold.accounts, amount_nusd, [hold.id]).add_done_callback(answered)

    async def levels(self, accounts: Sequence[Account]) -> list[Level]:
        """Return the levels from Redis, or else from this process."""
        if not self._link.up:
            return await self._local.levels(accounts)
        try:
            return levels(await self._link.ask(self._store.reading(accounts)))
        except StateLostError:
            return await self._local.levels(accounts)

    async def beat(self) -> None:
        """Send Redis the pending changes of all accounts, and check that it accepts writes."""
        await self._store.beating()
        owed, self._owed = [*self._owed.values()], {}
        told = [self._store.settling([each.account], each.amount_nusd, each.holds) for each in owed]
        lost: BaseException | None = None
        for each, answer in zip(owed, await asyncio.gather(*told, return_exceptions=True), strict=True):
            if isinstance(answer, BaseException):
                lost = answer
                self._remember(each)
        if lost is not None:
            raise lost

    async def _alone(self, charge: Charge) -> Hold:
        match self._fail:
            case "open":
                return Hold(self._local.new_id(), charge.accounts, charge.amount_nusd, alone=True)
            case "closed":
                raise out_of_reach("Budgets are shared through")
            case "local":
                narrowed = tuple([self._narrowed(account) for account in charge.accounts])
                hold = await self._local.reserve(Charge(narrowed, charge.amount_nusd))
                return msgspec.structs.replace(hold, accounts=charge.accounts, alone=True)

    def _narrowed(self, account: Account) -> Account:
        """Limit local spending to a small share of the budget on top of the known spending."""
        known, limit = self._known.get(account.id, 0), account.budget.limit_nusd
        self._local.adopt(account, known)
        alone = min(limit, known + round(SHARE_ALONE * limit))
        return msgspec.structs.replace(account, budget=msgspec.structs.replace(account.budget, limit_nusd=alone))

    def _owe(self, hold: Hold, amount_nusd: int) -> None:
        self._local.settle(hold, amount_nusd)
        holds = [] if hold.alone else [hold.id]
        if amount_nusd or holds:
            for account in hold.accounts:
                self._remember(_Owed(account, amount_nusd, holds))

    def _remember(self, more: _Owed) -> None:
        owed = self._owed.setdefault(more.account.id, _Owed(more.account))
        owed.amount_nusd += more.amount_nusd
        owed.holds += more.holds

    def _learn(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._known.pop(change.account.id, None)
            self._known[change.account.id] = change.now_nusd
        while len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
