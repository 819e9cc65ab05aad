"""Check rate limits and the names of budgets."""

from __future__ import annotations

from collections.abc import Sequence

from app.config.checks.complaint import Complaint, Complaints, Names, repeated
from app.config.features.budgets import Budget
from app.config.features.limits import KeyLimit, Limit
from app.config.problems import did_you_mean, shown
from app.config.schema import Settings
from app.config.trees import Loc
from app.core.allow_list import slashed

YEAR_S = 366 * 86_400  # longest time for a bucket to fill


def limits(settings: Settings, names: Names) -> Complaints:
    """Find problems of the gateway's limits, and budgets with the same name."""
    sections: tuple[tuple[str, Sequence[Limit | Budget]], ...] = (
        ("limits", settings.limits),
        ("budgets", settings.budgets),
    )
    for section, entries in sections:
        for position in repeated([each.name for each in entries]):
            value = repr(entries[position].name)
            yield (section, position, "name"), Complaint(value, "a name of its own", "choose another name")
    for position, limit in enumerate(settings.limits):
        loc: Loc = ("limits", position)
        yield from _scopes(loc, limit)
        yield from contents(loc, limit, names)


def contents(loc: Loc, limit: KeyLimit, names: Names) -> Complaints:
    """Find problems within one limit, of the gateway or of a key."""
    rates = [each for each in (limit.requests, limit.tokens) if each is not None]
    if not rates and limit.concurrency is None:
        yield loc, Complaint("a limit of nothing", "requests, tokens or concurrency", "say what is limited")
        return
    yield from _useless(loc, limit)
    yield from _ambiguous(loc, limit) if len(rates) > 1 else _excessive(loc, limit, rates)
    for position, model in enumerate(limit.models):
        yield from _model((*loc, "models", position), model, names)


def _scopes(loc: Loc, limit: Limit) -> Complaints:
    if len(set(limit.per)) < len(limit.per):
        yield (
            (*loc, "per"),
            Complaint(", ".join(limit.per), "a list in which each word stands once", "remove one of them"),
        )
    if len(limit.per) > 1 and "global" in limit.per:
        yield (
            (*loc, "per"),
            Complaint(", ".join(limit.per), "global alone, or what is counted separately", "remove global"),
        )


def _ambiguous(loc: Loc, limit: KeyLimit) -> Complaints:
    """Find numbers that cannot apply to both requests and tokens."""
    for name in ("burst", "lease"):
        if getattr(limit, name):
            expected = f"a limit of either requests or tokens, as each needs a {name} of its own"
            yield (*loc, name), Complaint(str(getattr(limit, name)), expected, f"write two limits, or leave {name} out")


def _excessive(loc: Loc, limit: KeyLimit, rates: Sequence[int]) -> Complaints:
    """Find bursts that take over a year to accumulate, and leases that leave nothing for other replicas."""
    for amount in rates:
        if limit.burst is not None and limit.burst / amount * limit.window_s > YEAR_S:
            expected = f"at most what comes together in a year, which is {int(amount * YEAR_S / limit.window_s)}"
            yield (*loc, "burst"), Complaint(str(limit.burst), expected, "lower it, or shorten window_s")
        most = limit.burst or amount
        if limit.lease > most // 2:
            expected = f"at most half of what the limit allows at once, which is {most // 2}"
            yield (*loc, "lease"), Complaint(str(limit.lease), expected, "lower it; a hundredth is usual")


def _useless(loc: Loc, limit: KeyLimit) -> Complaints:
    """Find numbers that have no effect."""
    counts = limit.requests is not None or limit.tokens is not None
    for name in ("window_s", "burst", "lease"):
        if not counts and name in limit.model_fields_set and getattr(limit, name):
            value = shown((name,), getattr(limit, name))
            expected = "nothing, as concurrency counts what happens at the same time"
            yield (*loc, name), Complaint(value, expected, "remove it, or add requests or tokens")
    if limit.tokens is None and "reserve" in limit.model_fields_set:
        yield (*loc, "reserve"), Complaint(str(limit.reserve), "nothing, as only tokens are reserved", "remove it")


def _model(loc: Loc, model: str, names: Names) -> Complaints:
    provider, slash, _ = slashed(model).partition("/")
    if "*" in (provider if slash else model) or model in names.routes or (slash and provider in names.providers):
        return
    known = {*names.routes, *(f"{name}/*" for name in names.providers)}
    suggestion = did_you_mean(model, known) or "correct it, or add the route under models"
    yield (
        loc,
        Complaint(
            shown((), model), "a route, or provider/model of a configured provider, with * for any text", suggestion
        ),
    )
