"""
Accounts of spending in the memory of this process. Nothing here awaits, hence every decision is atomic.

`scripts/spend_*.lua` implement the same for Redis. One contract suite tests both: change them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, TypeAlias

import msgspec

from app.core.accounts import BUCKETS, HOLD_S, Account, Ahead, Charge, Hold, Level, Refused
from app.core.clock import Clock
from app.core.errors import INSUFFICIENT_QUOTA, GatewayError
from app.core.money import dollars, usd
from app.core.signals import BudgetExceeded, BudgetExhausted, BudgetReached, Listener
from app.core.spending.budgets import reached

NewId: TypeAlias = Callable[[], str]

_HOLD_MS = round(HOLD_S * 1000)
_SWEEP_EVERY = 1024  # decisions between two sweeps of unused accounts


class Change(msgspec.Struct, frozen=True):
    """The spending of an account before and after a settlement, in nano-dollars."""

    account: Account
    before_nusd: int
    now_nusd: int


def told_ms(account: Account) -> int:
    """Return for how long an account's refusals are reported once; the next calendar period has another account."""
    return BUCKETS * account.width_ms or account.ttl_ms


class _Sheet:
    """
    One account: amounts by bucket, and holds by id with their expiry.

    Both are in order of time, so expired entries come first.
    """

    __slots__ = ("_held", "_holds", "_spent", "_total", "told_until", "until")

    def __init__(self) -> None:
        self._spent: dict[int, int] = {}
        self._total = 0  # of them
        self._holds: dict[str, tuple[int, int]] = {}
        self._held = 0
        self.told_until = 0
        self.until = 0

    def level(self, account: Account, now_ms: int) -> Level:
        """Remove expired entries, and return the level."""
        oldest = now_ms // account.width_ms - BUCKETS if account.width_ms else -1
        while self._spent and (first := next(iter(self._spent))) <= oldest:
            self._total -= self._spent.pop(first)
        while self._holds and self._holds[(front := next(iter(self._holds)))][1] <= now_ms:
            self.release(front)
        return Level(self._total, self._held)

    def add(self, account: Account, now_ms: int, amount: int) -> None:
        """Add an amount to the spending."""
        bucket = now_ms // account.width_ms if account.width_ms else 0
        self._spent[bucket] = self._spent.get(bucket, 0) + amount
        self._total += amount

    def hold(self, hold_id: str, amount: int, now_ms: int) -> None:
        """Hold an amount for a call; two budgets of one name may share an account."""
        self.release(hold_id)
        self._holds[hold_id] = (amount, now_ms + _HOLD_MS)
        self._held += amount

    def release(self, hold_id: str) -> None:
        """Release a hold; it may have expired."""
        amount, _ = self._holds.pop(hold_id, (0, 0))
        self._held -= amount


class MemoryAccounts:
    """
    The decisions about any number of accounts.

    `now_ms` is wall time in milliseconds, since the accounts of a calendar's periods are.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._sheets: dict[str, _Sheet] = {}
        self._decisions = 0

    def reserve(self, accounts: Sequence[Account], hold_id: str, amount_nusd: int) -> Hold | Refused:
        """Hold an amount on every account, or on none."""
        now_ms = self._now_ms()
        self._sweep(now_ms)
        sheets = [self._sheet(account, now_ms) for account in accounts]
        for account, sheet in zip(accounts, sheets, strict=True):
            level = sheet.level(account, now_ms)
            if account.budget.hard and level.spent_nusd + level.held_nusd + amount_nusd > account.budget.limit_nusd:
                return Refused(account, level)
        for sheet in sheets:
            sheet.hold(hold_id, amount_nusd, now_ms)
        return Hold(hold_id, tuple(accounts), amount_nusd)

    def settle(self, hold: Hold, amount_nusd: int) -> list[Change]:
        """Replace a hold by the actual cost."""
        now_ms = self._now_ms()
        changes = []
        for account in hold.accounts:
            sheet = self._sheet(account, now_ms)
            sheet.release(hold.id)
            before = sheet.level(account, now_ms).spent_nusd
            sheet.add(account, now_ms, amount_nusd)
            changes.append(Change(account, before, before + amount_nusd))
        return changes

    def read(self, accounts: Sequence[Account]) -> list[Level]:
        """Return the levels of accounts."""
        now_ms = self._now_ms()
        return [self._sheets.get(account.id, _Sheet()).level(account, now_ms) for account in accounts]

    def adopt(self, account: Account, spent_nusd: int) -> None:
        """Raise the spending to what was spent elsewhere, if that is more."""
        now_ms = self._now_ms()
        sheet = self._sheet(account, now_ms)
        missing = spent_nusd - sheet.level(account, now_ms).spent_nusd
        if missing > 0:
            sheet.add(account, now_ms, missing)

    def untold(self, account: Account) -> bool:
        """Return whether this is the first report in this period, or window, that the account refuses calls."""
        now_ms = self._now_ms()
        self._sweep(now_ms)
        sheet = self._sheet(account, now_ms)
        if now_ms < sheet.told_until:
            return False
        sheet.told_until = now_ms + told_ms(account)
        return True

    def _sheet(self, account: Account, now_ms: int) -> _Sheet:
        sheet = self._sheets.setdefault(account.id, _Sheet())
        sheet.until = now_ms + account.ttl_ms
        return sheet

    def _sweep(self, now_ms: int) -> None:
        self._decisions += 1
        if self._decisions % _SWEEP_EVERY == 0:
            self._sheets = {name: sheet for name, sheet in self._sheets.items() if sheet.until > now_ms}


class LocalBudgets:
    """The `Budgets` of one process."""

    def __init__(self, clock: Clock, listener: Listener, new_id: NewId) -> None:
        self._accounts = MemoryAccounts(lambda: round(clock.wall() * 1000))
        self._clock = clock
        self._listener = listener
        self.new_id = new_id

    def ahead(self, charges: Sequence[Charge]) -> Ahead | None:  # noqa: ARG002 - the port's
        """Return None: decisions in memory take no time, so nothing is asked ahead."""
        return None

    async def reserve(self, charge: Charge) -> Hold:
        """Decide at once."""
        held = self._accounts.reserve(charge.accounts, self.new_id(), charge.amount_nusd)
        if isinstance(held, Refused) and self.untold(held.account):
            self.tell_exhausted(held)
        return held if isinstance(held, Hold) else self.refuse(held)

    def settle(self, hold: Hold, amount_nusd: int) -> None:
        """Settle at once."""
        self.tell(self._accounts.settle(hold, amount_nusd))

    async def levels(self, accounts: Sequence[Account]) -> list[Level]:
        """Return the levels of this process."""
        return self._accounts.read(accounts)

    def untold(self, account: Account) -> bool:
        """Return True once per period or window: this process has not reported yet that the account refuses calls."""
        return self._accounts.untold(account)

    def adopt(self, account: Account, spent_nusd: int) -> None:
        """Raise the spending to what was spent elsewhere."""
        self._accounts.adopt(account, spent_nusd)

    def refuse(self, refused: Refused) -> NoReturn:
        """
        Refuse a call for lack of budget.

        Raises:
            GatewayError: INSUFFICIENT_QUOTA, always.
        """
        account, budget = refused.account, refused.account.budget
        self._listener(BudgetExceeded(budget.name))
        span = f"per {budget.period}" if budget.window_s is None else f"in {budget.window_s:g} s"
        if budget.period == "total" and budget.window_s is None:
            span = "in all"
        message = f"The budget {budget.name!r} of {dollars(budget.limit_nusd)} {span} leaves no room for this call."
        wait_s = None if account.ends_s is None else max(1.0, account.ends_s - self._clock.wall())
        raise GatewayError(INSUFFICIENT_QUOTA, message, retry_after_s=wait_s)

    def tell_exhausted(self, refused: Refused) -> None:
        """Report that a budget refuses calls."""
        budget, level = refused.account.budget, refused.level
        levels = (usd(level.spent_nusd), usd(level.held_nusd), usd(budget.limit_nusd))
        self._listener(BudgetExhausted(budget.name, *levels))

    def tell(self, changes: Iterable[Change]) -> None:
        """Report every share of a budget that was reached."""
        for change in changes:
            budget = change.account.budget
            for share in reached(budget, change.before_nusd, change.now_nusd):
                self._listener(BudgetReached(budget.name, share, usd(change.now_nusd), usd(budget.limit_nusd)))
