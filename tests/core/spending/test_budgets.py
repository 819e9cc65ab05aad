"""On which accounts a call spends."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from app.core.accounts import BUCKETS
from app.core.call import Call
from app.core.identity import Caller
from app.core.money import Budget, Period, Scope, nano
from app.core.spending.budgets import accounts_of, reached
from tests.support.calls import TARGET, a_call, asking

AT = datetime(2026, 11, 26, 15, 30, tzinfo=UTC).timestamp()
CALLER = Caller("key-1", "key-1", team="red", user="u1")


def called(caller: Caller = CALLER, **fields: object) -> Call:
    """Return a call of somebody; `fields` are those of its request."""
    return msgspec.structs.replace(a_call(asking("hi", **fields)), caller=caller)


def budget(*per: Scope, period: Period = "month", window_s: float | None = None) -> Budget:
    """Return a budget."""
    return Budget("b", nano(1.0), per, period, window_s)


@pytest.mark.parametrize(
    ("per", "subject"),
    [
        (("global",), ""),
        (("key",), "key-1"),
        (("user",), "u1"),
        (("team",), "red"),
        (("model",), TARGET.name),
        (("provider",), TARGET.provider),
        (("route",), "fast"),
        (("team", "model"), f"red|{TARGET.name}"),
    ],
)
def test_every_subject_has_an_account_of_its_own(per: tuple[Scope, ...], subject: str) -> None:
    """It is named after budget, subject and period."""
    (found,) = accounts_of([budget(*per)], called(), TARGET, AT)

    assert found.id == f"b|{subject}|2026-11"


def test_both_spellings_of_a_model_spend_from_one_account() -> None:
    """Who writes `provider:model` has no second budget."""
    found = {accounts_of([budget("route")], called(model=name), TARGET, AT)[0].id for name in ("acme/x", "acme:x")}

    assert found == {"b|acme/x|2026-11"}


def test_a_budget_for_a_subject_that_a_call_lacks_does_not_hold_for_it() -> None:
    """Who belongs to no team spends nothing of a team's."""
    nobody = Caller("key-2", "key-2")

    assert accounts_of([budget("team"), budget("user"), budget("key", "team")], called(nobody), TARGET, AT) == ()


def test_the_user_of_the_request_counts_where_the_key_has_none() -> None:
    """That is the caller's own word for whom it asks."""
    (found,) = accounts_of([budget("user")], called(Caller("k", "k"), user="jane"), TARGET, AT)

    assert found.id == "b|jane|2026-11"


@pytest.mark.parametrize(
    ("period", "name", "ends"),
    [
        ("hour", "2026-11-26T15", datetime(2026, 11, 26, 16, tzinfo=UTC)),
        ("day", "2026-11-26", datetime(2026, 11, 27, tzinfo=UTC)),
        ("week", "2026-W48", datetime(2026, 11, 30, tzinfo=UTC)),
        ("month", "2026-11", datetime(2026, 12, 1, tzinfo=UTC)),
        ("total", "total", None),
    ],
)
def test_periods_are_those_of_the_calendar(period: Period, name: str, ends: datetime | None) -> None:
    """In UTC, for all replicas alike."""
    (found,) = accounts_of([budget("global", period=period)], called(), TARGET, AT)

    assert (found.id, found.ends_s) == (f"b||{name}", ends and ends.timestamp())
    assert found.width_ms == 0


def test_december_ends_with_the_year() -> None:
    """The next month may be in another year."""
    (found,) = accounts_of([budget("global")], called(), TARGET, datetime(2026, 12, 31, 23, tzinfo=UTC).timestamp())

    assert found.ends_s == datetime(2027, 1, 1, tzinfo=UTC).timestamp()


def test_a_rolling_window_has_buckets() -> None:
    """It knows no period, and what was spent leaves it bit by bit."""
    (found,) = accounts_of([budget("global", window_s=60.0)], called(), TARGET, AT)

    assert (found.id, found.width_ms, found.ends_s) == ("b||rolling", 60_000 // BUCKETS, None)


@pytest.mark.parametrize(
    ("before", "now", "shares"),
    [(0.0, 0.49, ()), (0.0, 0.5, (0.5,)), (0.5, 0.79, ()), (0.4, 1.2, (0.5, 0.8, 1.0)), (1.0, 2.0, ())],
)
def test_a_share_is_reached_once(before: float, now: float, shares: tuple[float, ...]) -> None:
    """By the settlement that crosses it, and by no other."""
    assert reached(budget("global"), nano(before), nano(now)) == shares
