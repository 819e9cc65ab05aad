"""Check keys that conflict with each other, open gateways, ports, and tokens."""

from __future__ import annotations

from app.config.checks.complaint import Complaint, Complaints, Names, repeated
from app.config.checks.limits import contents
from app.config.listening import places
from app.config.problems import dotted, shown
from app.config.schema import Settings


def keys(settings: Settings, names: Names) -> Complaints:
    """Find keys with the same name or hash, hashes that need a pepper, and invalid limits."""
    yield from _names_and_hashes(settings)
    for index, key in enumerate(settings.keys):
        for position, limit in enumerate(key.limits):
            yield from contents(("keys", index, "limits", position), limit, names)


def callers(settings: Settings, _names: Names) -> Complaints:
    """Find a gateway that is open to other machines without `auth.allow_open`."""
    auth = settings.auth
    shared = next((place for place in places(settings) if place.shared), None)
    if not auth.required and not auth.allow_open and shared is not None:
        loc = (shared.section, "host")
        where = f"{dotted(loc)} {shown(loc, shared.host)}"
        expected = f"true, as other machines can reach {where} and nobody is asked for a key"
        advice = (
            "require keys (wizard keys new), listen on 127.0.0.1, or set auth.allow_open: true if others keep watch"
        )
        yield ("auth", "required"), Complaint("false", expected, advice)


def ports(settings: Settings, _names: Names) -> Complaints:
    """Find an admin port that equals the port for calls."""
    port = settings.admin.port
    if port and port == settings.server.port:
        expected = "another port than server.port, or null for the same"
        yield ("admin", "port"), Complaint(str(port), expected, "remove it, or choose one that only operators reach")


def tokens(settings: Settings, _names: Names) -> Complaints:
    """Find a JWKS address without an issuer or an audience."""
    jwt = settings.auth.jwt
    if jwt.jwks_url is None:
        return
    for field, value in (("issuer", jwt.issuer), ("audience", jwt.audience)):
        if not value:
            kind = "a text" if field == "issuer" else "a list with at least one text"
            advice = "write what the tokens have, or anybody's tokens of that issuer would do"
            yield ("auth", "jwt", field), Complaint("(empty)", f"{kind}: jwks_url is set", advice)


def _names_and_hashes(settings: Settings) -> Complaints:
    for index in repeated([key.name for key in settings.keys]):
        yield (
            ("keys", index, "name"),
            Complaint(repr(settings.keys[index].name), "a name of its own", "rename one of the two keys"),
        )
    hashes = [
        (index, field, stored)
        for index, key in enumerate(settings.keys)
        for field, stored in (("hash", key.hash), ("previous_hash", key.previous_hash))
        if stored is not None
    ]
    for place in repeated([stored.lower() for _, _, stored in hashes]):
        index, field, _ = hashes[place]
        expected = "the hash of another key: this one is in the list already"
        yield ("keys", index, field), Complaint("(hidden)", expected, "make a new key: wizard keys new")
    for index, field, stored in hashes:
        if stored.startswith("hmac") and settings.auth.pepper is None:
            expected = "sha256:…, as there is no auth.pepper to check an hmac-sha256 with"
            advice = "set auth.pepper or auth.pepper_file"
            yield ("keys", index, field), Complaint("(hidden)", expected, advice, ("auth", "pepper"))
