"""Settings of keys and tokens, and what contradicts each other among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.listening import places
from app.config.problems import MISSING
from tests.config.cases import loaded, problem, refused

HASH, OTHER = f"sha256:{'ab' * 32}", f"sha256:{'cd' * 32}"
PEPPERED = f"hmac-sha256:{'ef' * 32}"


def test_a_key_with_everything(tmp_path: Path) -> None:
    """Dates and times become seconds since 1970, whatever zone they are in."""
    text = f"""
keys:
  - name: team-a
    hash: {HASH}
    previous_hash: "{OTHER.upper().replace("SHA", "sha")}"
    previous_until: 2027-01-31T12:00:00+01:00
    team: red
    user: eve@example.com
    tags: [batch]
    models: ["fast", "openai/*"]
    expires: 2027-01-31
    priority: low
  - {{name: b, hash: "sha256:{"00" * 32}", expires: "2027-01-31T12:00:00Z"}}
  - {{name: c, hash: "sha256:{"11" * 32}", expires: 1801353600}}
"""
    first, second, third = loaded(tmp_path, text).settings.keys

    assert (first.expires, first.previous_until) == (1_801_353_600, 1_801_393_200)
    assert (second.expires, third.expires) == (1_801_396_800, 1_801_353_600)
    assert (first.models, first.priority, second.models) == (("fast", "openai/*"), "low", None)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("hash: x", "keys[0].name"),
        (f"name: a b, hash: '{HASH}'", "keys[0].name"),
        (f"name: key_1, hash: '{HASH}'", "keys[0].name"),
        (f"name: opening, hash: '{HASH}'", "keys[0].name"),
        ("name: a, hash: wz-a-key", "keys[0].hash"),
        ("name: a, hash: 'sha256:abc'", "keys[0].hash"),
        (f"name: a, hash: '{HASH}', expires: soon", "keys[0].expires"),
        (f"name: a, hash: '{HASH}', expires: true", "keys[0].expires"),
        (f"name: a, hash: '{HASH}', expires: [1]", "keys[0].expires"),
        (f"name: a, hash: '{HASH}', priority: urgent", "keys[0].priority"),
        (f"name: a, hash: '{HASH}', models: ['a b']", "keys[0].models[0]"),
        (f"name: a, hash: '{HASH}', secret: x", "keys[0].secret"),
    ],
)
def test_what_no_key_has(tmp_path: Path, key: str, path: str) -> None:
    """Each is refused at its place, and a key that stands where its hash belongs is not repeated."""
    error = refused(tmp_path, f"keys: [{{{key}}}]")

    assert path in [each.path for each in error.problems]
    assert "wz-a-key" not in str(error)


def test_keys_must_differ(tmp_path: Path) -> None:
    """In their names and in their secrets, those before included."""
    text = f"keys: [{{name: a, hash: '{HASH}'}}, {{name: a, hash: '{OTHER}', previous_hash: '{HASH.upper().lower()}'}}]"

    found = [(each.path, each.value) for each in refused(tmp_path, text).problems]

    assert found == [("keys[1].name", "'a'"), ("keys[1].previous_hash", "(hidden)")]


def test_a_hash_with_a_pepper_needs_the_pepper(tmp_path: Path) -> None:
    """Without it the key could never be recognised."""
    text = f"keys: [{{name: a, hash: '{PEPPERED}'}}]"

    found = problem(tmp_path, text)
    fine = loaded(tmp_path, f"{text}\nauth: {{pepper: 0123456789abcdef}}").settings

    assert (found.path, found.suggestion) == ("keys[0].hash", "set auth.pepper or auth.pepper_file")
    assert fine.auth.pepper is not None


def test_the_pepper_is_a_secret(tmp_path: Path) -> None:
    """One that is too short is refused without being shown; it may come from a file or the environment."""
    (tmp_path / "pepper").write_text("a pepper out of a file\n")
    short = problem(tmp_path, "auth: {pepper: tooshort}")
    both = problem(tmp_path, "auth: {pepper: 0123456789abcdef, pepper_file: pepper}")
    nowhere = problem(tmp_path, "auth: {pepper_file: nowhere}")

    read = loaded(tmp_path, "auth: {pepper_file: pepper}").settings.auth
    given = loaded(tmp_path, "", {"WIZARD_AUTH__PEPPER": "from the environment"}).settings.auth
    empty = loaded(tmp_path, "auth: {pepper: '${NOBODY:-}'}").settings.auth

    assert (short.path, short.value) == ("auth.pepper", "(hidden)")
    assert (both.path, nowhere.path) == ("auth.pepper_file", "auth.pepper_file")
    assert [auth.pepper and auth.pepper.get_secret_value() for auth in (read, given, empty)] == [
        "a pepper out of a file",
        "from the environment",
        None,
    ]
    assert "pepper out" not in repr(read)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "gateway.internal", "fe80::1%eth0"])  # noqa: S104 - not bound
def test_an_open_gateway_stays_on_its_machine(tmp_path: Path, host: str) -> None:
    """It does not start where others reach it, unless it asks for keys or is told that this is meant."""
    found = problem(tmp_path, f"server: {{host: '{host}'}}")
    asks = loaded(tmp_path, f"server: {{host: '{host}'}}\nauth: {{required: true}}\nadmin: {{token: t}}")
    told = loaded(tmp_path, f"server: {{host: '{host}'}}", {"WIZARD_AUTH__ALLOW_OPEN": "true"})

    assert (found.path, found.value) == ("auth.required", "false")
    assert "auth.allow_open" in found.suggestion
    assert (asks.settings.server.host, told.settings.server.host) == (host, host)


def test_an_open_gateway_has_no_other_way_in(tmp_path: Path) -> None:
    """Calls are taken at the port of the administration too, so it stays on this machine likewise."""
    found = problem(tmp_path, "admin: {port: 9901, host: 10.0.0.1}")
    closed = loaded(tmp_path, "admin: {host: 10.0.0.1}")

    assert (found.path, "admin.host" in found.expected) == ("auth.required", True)
    assert [place.host for place in places(closed.settings)] == ["127.0.0.1"]


def test_the_administration_has_a_port_of_its_own_or_none(tmp_path: Path) -> None:
    """The port of calls is no port of its own; two that the machine chooses are."""
    own = loaded(tmp_path, "admin: {port: 9901, host: '::1'}").settings
    chosen = loaded(tmp_path, "admin: {port: 0}\nserver: {port: 0}").settings
    same = problem(tmp_path, "admin: {port: 8080}")

    assert [place.url for place in places(own)] == ["http://127.0.0.1:8080", "http://[::1]:9901"]
    assert [place.port for place in places(chosen)] == [0, 0]
    assert (same.path, same.value) == ("admin.port", "8080")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_this_machine_is_no_other(tmp_path: Path, host: str) -> None:
    """Nobody else reaches it there."""
    assert loaded(tmp_path, f"server: {{host: '{host}'}}").settings.server.host == host


def test_tokens_need_an_issuer_and_an_audience(tmp_path: Path) -> None:
    """Or anybody's would do."""
    found = refused(tmp_path, "auth: {jwt: {jwks_url: 'https://i.example/keys'}}").problems

    assert ["auth.jwt.audience", "auth.jwt.issuer"] == [each.path for each in found]


@pytest.mark.parametrize(
    ("jwt", "path"),
    [
        ("algorithms: [HS256]", "auth.jwt.algorithms[0]"),
        ("algorithms: []", "auth.jwt.algorithms"),
        ("claims: {id: ''}", "auth.jwt.claims.id"),
        ("refresh_s: 1", "auth.jwt.refresh_s"),
        ("jwks_url: 'ftp://i.example'", "auth.jwt.jwks_url"),
    ],
)
def test_what_no_tokens_have(tmp_path: Path, jwt: str, path: str) -> None:
    """Secrets shared with the issuer are not taken, and neither is nonsense."""
    found = problem(tmp_path, f"auth: {{jwt: {{{jwt}}}}}")

    assert found.path == path
    assert found.value != MISSING
