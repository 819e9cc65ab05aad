"""
Accounts of spending in Redis: the decisions of `MemoryAccounts` as scripts, so that all replicas share them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from app.core.accounts import HOLD_S, Account, Hold, Level, Refused
from app.state.budgets.memory import Change, told_ms
from app.state.link import Argument, Command, Submit, decision


class RedisAccounts:
    """The decisions about any number of accounts."""

    def __init__(self, submit: Submit, prefix: str) -> None:
        self._submit = submit
        self._prefix = f"{{{prefix}:spend}}:"

    def reservation(self, hold: Hold) -> Command:
        """Return the command that holds an amount on every account or none; `reserved` decodes the answer."""
        each = [
            word
            for account in hold.accounts
            for word in (account.budget.limit_nusd, int(account.budget.hard), account.width_ms, account.ttl_ms)
        ]
        return self._about("spend_reserve", hold.accounts, hold.id, round(HOLD_S * 1000), hold.amount_nusd, *each)

    def settling(self, accounts: Sequence[Account], amount_nusd: int, holds: Sequence[str]) -> asyncio.Future[Any]:
        """Replace holds, by their ids, by the actual cost; `settled` decodes the answer."""
        each = [word for account in accounts for word in (account.width_ms, account.ttl_ms)]
        return self._submit(self._about("spend_settle", accounts, amount_nusd, *each, *holds))

    def reading(self, accounts: Sequence[Account]) -> asyncio.Future[Any]:
        """Ask for levels; `levels` decodes the answer."""
        return self._submit(self._about("spend_read", accounts, *[account.width_ms for account in accounts]))

    def telling(self, account: Account) -> asyncio.Future[Any]:
        """Claim the report that an account refuses calls; the answer None means that another replica reports it."""
        return self._submit(Command(("SET", f"{self._prefix}told:{account.id}", 1, "NX", "PX", told_ms(account))))

    def beating(self) -> asyncio.Future[Any]:
        """Send a command that needs a writable Redis."""
        return self._submit(Command(("SET", f"{self._prefix}beat", 1, "PX", 60_000)))

    def _about(self, name: str, accounts: Sequence[Account], *arguments: Argument) -> Command:
        keys = tuple(self._prefix + account.id for account in accounts)
        return decision(name, keys, *arguments)


def reserved(answer: Any, hold: Hold) -> Hold | Refused:  # noqa: ANN401 - as redis-py returns it
    """Decode the answer to a reservation."""
    place, spent, held = answer
    return Refused(hold.accounts[place - 1], Level(spent, held)) if place else hold


def settled(answer: Any, accounts: Sequence[Account]) -> list[Change]:  # noqa: ANN401
    """Decode the answer to a settlement."""
    pairs = zip(answer[::2], answer[1::2], strict=True)
    return [Change(account, before, now) for account, (before, now) in zip(accounts, pairs, strict=True)]


def levels(answer: Any) -> list[Level]:  # noqa: ANN401
    """Decode the levels."""
    return [Level(spent, held) for spent, held in zip(answer[::2], answer[1::2], strict=True)]
