"""Assemble authentication: the keys of the configuration, those created at run time, and signed tokens."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from secrets import token_bytes

import msgspec

from app.assembly.deps import Deps
from app.assembly.limits import key_rules
from app.assembly.spending import key_budget
from app.config.features.keys import VirtualKey as KeySettings
from app.config.schema import Settings
from app.core.keys.directory import Directory, Sources, Tokens
from app.core.keys.manager import KeyManager, KeyTools
from app.core.keys.store import KeyStore
from app.core.keys.virtual_keys import Hasher, KeyHash, KeyTable, VirtualKey
from app.core.routing.table import canonical
from app.core.traffic.admission import Priority
from app.providers.fetch import fetch
from app.stages.authorize import Authorize
from app.state.keys.redis import SharedKeys
from app.state.link import Link


def shared_keys(settings: Settings, link: Link) -> KeyStore:
    """Return the store in which replicas share the keys created at run time."""
    return SharedKeys(link, settings.redis.fail.keys)


def directory(settings: Settings, deps: Deps) -> Directory:
    """Return the directory of all callers."""
    sources = Sources(_listed(settings), deps.key_store, _hasher(settings), _tokens(settings, deps))
    return Directory(sources, deps.clock, deps.listener, required=settings.auth.required)


def key_manager(settings: Settings, deps: Deps) -> KeyManager:
    """Return the manager by which the admin API creates and revokes keys."""
    alone = settings.server.workers == 1
    tools = KeyTools(_hasher(settings), deps.clock, token_bytes, deps.listener, alone)
    return KeyManager(_listed(settings), deps.key_store, tools)


def authorize(settings: Settings, deps: Deps) -> list[Authorize]:
    """Return the stage that enforces the models and roles of keys, unless there can be no key."""
    if not settings.may_have_keys:
        return []
    named = partial(canonical, routes=settings.models.keys(), providers=settings.providers.keys())
    return [Authorize(named, deps.listener)]


def _hasher(settings: Settings) -> Hasher:
    pepper = settings.auth.pepper
    return Hasher(b"" if pepper is None else pepper.get_secret_value().encode())


def _listed(settings: Settings) -> KeyTable:
    return KeyTable(_key(given) for given in settings.keys)


def _key(given: KeySettings) -> VirtualKey:
    return VirtualKey(
        id=given.name,
        name=given.name,
        hash=KeyHash.parse(given.hash),
        team=given.team,
        user=given.user,
        tags=given.tags,
        models=given.models,
        roles=given.roles,
        priority=None if given.priority is None else Priority[given.priority.upper()],
        expires=given.expires,
        previous=None if given.previous_hash is None else KeyHash.parse(given.previous_hash),
        previous_until=given.previous_until,
        in_file=True,
        limits=key_rules(given.limits),
        budgets=() if given.budget is None else (key_budget(given.name, given.budget),),
    )


def _tokens(settings: Settings, deps: Deps) -> Tokens | None:
    given = settings.auth.jwt
    if given.jwks_url is None:
        return None
    url = given.jwks_url
    tokens = import_module("app.identity.tokens")  # imported lazily: cryptography takes 8 MB
    options = msgspec.convert(given, tokens.TokenOptions, from_attributes=True)
    made = partial(
        import_module("app.identity.key_set").KeySet, url, partial(fetch, deps.client), deps.clock, deps.listener
    )
    checked: Tokens = tokens.JwtTokens(options, deps.key_sets.of(url, made), deps.clock)
    return checked
