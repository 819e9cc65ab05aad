"""The sections of single features, a file for each."""

from __future__ import annotations

from app.config.features.admin import Admin
from app.config.features.auth import Auth, Jwt, JwtClaims
from app.config.features.budgets import Alerts, Budget, KeyBudget, ModelPrice, Usage
from app.config.features.cache import Cache, SemanticCache
from app.config.features.catalogue import Catalogue, ModelFacts
from app.config.features.circuit_breaker import CircuitBreaker
from app.config.features.guards import Guards, Injection
from app.config.features.idempotency import Idempotency
from app.config.features.keys import Keys, VirtualKey
from app.config.features.limits import KeyLimit, Limit, Limits
from app.config.features.passthrough import Files, Passthrough
from app.config.features.redaction import Redaction, RedactionAnswer, RedactionRoute
from app.config.features.redis import Redis, RedisFail
from app.config.features.request_log import RequestLog
from app.config.features.sessions import Sessions
from app.config.features.tokenizer import Tokenizer
from app.config.features.tracing import Tracing

__all__ = [
    "Admin",
    "Alerts",
    "Auth",
    "Budget",
    "Cache",
    "Catalogue",
    "CircuitBreaker",
    "Files",
    "Guards",
    "Idempotency",
    "Injection",
    "Jwt",
    "JwtClaims",
    "KeyBudget",
    "KeyLimit",
    "Keys",
    "Limit",
    "Limits",
    "ModelFacts",
    "ModelPrice",
    "Passthrough",
    "Redaction",
    "RedactionAnswer",
    "RedactionRoute",
    "Redis",
    "RedisFail",
    "RequestLog",
    "SemanticCache",
    "Sessions",
    "Tokenizer",
    "Tracing",
    "Usage",
    "VirtualKey",
]
