"""
The admin API: one module per topic, all protected by the admin token. Plain FastAPI, off the hot path.

Without a configured token the admin API is disabled, and every path under /admin answers 404.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter

from app.api.admin.cache import cache_router
from app.api.admin.circuits import circuits_router
from app.api.admin.configuration import configuration_router
from app.api.admin.explaining import explaining_router
from app.api.admin.health import health_router
from app.api.admin.keys import keys_router
from app.api.admin.limits import limits_router
from app.api.admin.live import live_router
from app.api.admin.requests import requests_router
from app.api.admin.sessions import sessions_router
from app.api.admin.usage import usage_router
from app.api.hot import HotRoute
from app.core.configuration import Configurations
from app.core.gateway import CurrentGateway


def admin_router(
    gateways: CurrentGateway, configurations: Configurations, endpoints: Mapping[str, HotRoute]
) -> APIRouter:
    """Return the routes under /admin."""
    router = APIRouter(prefix="/admin", tags=["admin"])
    topics = (
        circuits_router,
        health_router,
        cache_router,
        keys_router,
        limits_router,
        sessions_router,
        usage_router,
        requests_router,
        live_router,
    )
    for topic in topics:
        router.include_router(topic(gateways))
    router.include_router(configuration_router(gateways, configurations))
    router.include_router(explaining_router(gateways, endpoints))
    return router
