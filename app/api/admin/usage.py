"""Admin routes for usage reports, as JSON or CSV, and for the state of budgets."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request, Response

from app.api.admin.gate import admitted
from app.api.json_routes import json_answer
from app.api.openapi.parts import Json
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.gateway import CurrentGateway, Spending
from app.core.money import Budget, usd
from app.core.spending.budgets import account
from app.core.spending.ledger import COUNTS, DIMENSIONS, UsageKey, UsageRow, report

_DAYS: Final = 30


def usage_router(gateways: CurrentGateway) -> APIRouter:
    """Return the routes for usage and budgets."""
    router = APIRouter()

    @router.get("/usage", summary="Report what was used, by day, key, team, route, provider and model")
    async def usage(request: Request) -> Response:
        return await _report(admitted(request, gateways.current).spending, request.query_params)

    @router.get("/budgets", summary="Show how much of each budget is spent")
    async def budgets(request: Request) -> Response:
        spending = admitted(request, gateways.current).spending
        shown = [level for budget in spending.rules for level in await _levels(spending, budget)]
        return json_answer({"budgets": shown})

    return router


async def _report(spending: Spending, query: Mapping[str, str]) -> Response:
    by = _dimensions(query.get("by", ",".join(DIMENSIONS)))
    today = datetime.fromtimestamp(spending.clock.wall(), UTC).date()
    first = _day(query.get("from"), "from", today - timedelta(days=_DAYS - 1))
    last = _day(query.get("to"), "to", today)
    if first > last:
        raise GatewayError(INVALID_REQUEST, "'from' is a later day than 'to'.", param="from")
    if query.get("format", "json") not in {"json", "csv"}:
        raise GatewayError(INVALID_REQUEST, "'format' must be 'json' or 'csv'.", param="format")
    rows = report(await spending.usage.read(first, last), by)
    if query.get("format") == "csv":
        return Response(_csv(by, rows), media_type="text/csv; charset=utf-8", headers={"cache-control": "no-store"})
    total = UsageRow()
    for _, row in rows:
        total = total.plus(row)
    shown = [{**dict(zip(by, group, strict=True)), **_row(row)} for group, row in rows]
    return json_answer({"from": first, "to": last, "by": list(by), "rows": shown, "total": _row(total)})


async def _levels(spending: Spending, budget: Budget) -> list[Json]:
    """Return the levels of a budget for every subject with usage in the last 31 days; usage has no users."""
    wall_s = spending.clock.wall()
    today = datetime.fromtimestamp(wall_s, UTC).date()
    rows = await spending.usage.read((today - timedelta(days=31)).isoformat(), today.isoformat())
    subjects = sorted({subject for key, _ in rows if (subject := _subject(budget, key)) is not None})
    if budget.per == ("global",):
        subjects = [""]
    accounts = [account(budget, subject, wall_s) for subject in subjects]
    levels = await spending.budgets.levels(accounts) if accounts else []
    return [
        {
            "name": budget.name,
            "per": list(budget.per),
            "subject": subject or None,
            "limit_usd": usd(budget.limit_nusd),
            "spent_usd": usd(level.spent_nusd),
            "held_usd": usd(level.held_nusd),
            "hard": budget.hard,
            "period": budget.period if budget.window_s is None else None,
            "window_s": budget.window_s,
            "ends_at": each.ends_s,
        }
        for subject, each, level in zip(subjects, accounts, levels, strict=True)
    ]


def _subject(budget: Budget, key: UsageKey) -> str | None:
    known: dict[str, str | None] = {
        "global": "",
        "key": key.key,
        "team": key.team or None,
        "route": key.route,
        "provider": key.provider,
        "model": f"{key.provider}/{key.model}",
    }
    parts = [known.get(scope) for scope in budget.per]
    return None if None in parts else "|".join(part or "" for part in parts)


def _dimensions(text: str) -> Sequence[str]:
    by = tuple(word.strip() for word in text.split(",") if word.strip())
    if not by or not set(by) <= set(DIMENSIONS):
        message = f"'by' must be some of {', '.join(DIMENSIONS)}, joined by commas."
        raise GatewayError(INVALID_REQUEST, message, param="by")
    return by


def _day(text: str | None, name: str, default: date) -> str:
    if text is None:
        return default.isoformat()
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise GatewayError(INVALID_REQUEST, f"{name!r} must be a day, as in 2026-11-26.", param=name) from error


def _row(row: UsageRow) -> Json:
    shown: Json = {name: getattr(row, name) for name in COUNTS if name != "cost_nusd"}
    return {**shown, "cost_usd": usd(row.cost_nusd)}


def _csv(by: Sequence[str], rows: Sequence[tuple[tuple[str, ...], UsageRow]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*by, *_row(UsageRow())])
    for group, row in rows:
        writer.writerow([*[_harmless(word) for word in group], *_row(row).values()])
    return text.getvalue()


def _harmless(word: str) -> str:
    """Escape a name that a spreadsheet would evaluate as a formula."""
    return f"'{word}" if word[:1] in {"=", "+", "-", "@", "\t", "\r"} else word
