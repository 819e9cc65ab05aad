"""The log of budgets that come to their end."""

from __future__ import annotations

import logging
from typing import Final

from app.core.signals import BudgetReached
from app.telemetry.events.part import Event, told
from app.telemetry.rendering import Fields


def _reached(signal: BudgetReached) -> list[Event]:
    fields: Fields = {
        "budget": signal.budget,
        "share": signal.share,
        "spent_usd": round(signal.spent_usd, 6),
        "limit_usd": signal.limit_usd,
    }
    return [("budget_reached", fields)]


SPENDING: Final = (told(BudgetReached, logging.WARNING, _reached),)
