"""Which addresses of Redis are accepted, and that none is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.config.cases import CANARY, loaded, problem

GOOD = (
    "redis://localhost",
    "redis://localhost:6379/0",
    "redis://user:p%40ss@redis.internal:6379/15",
    "rediss://h:1?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required",
    "valkey://[::1]:6379",
    "valkeys://h",
    "redis+sentinel://a:26379,b,c/mymaster",
    "rediss+sentinel://u:p@a,b/mymaster/3",
    "redis+cluster://a,b:7000",
    "unix:///run/redis.sock?db=2",
)
BAD = (
    "localhost:6379",
    "http://localhost",
    "redis://",
    "redis://h:port",
    "redis://h:0",
    "redis://h/zero",
    "redis://h/0/1",
    "redis://a,b",
    "redis://h?socket_timeout=9",
    "redis://h?db",
    "redis://h#fragment",
    "redis+sentinel://a,b",
    "redis+sentinel://a,,b/name",
    "redis+sentinel://a/name/db",
    "redis+cluster://a/0",
    "unix://",
)


@pytest.mark.parametrize("url", GOOD)
def test_good_addresses_are_taken_as_they_are(tmp_path: Path, url: str) -> None:
    """One server, Sentinels, clusters and sockets."""
    found = loaded(tmp_path, yaml.safe_dump({"redis": {"url": url}})).settings.redis.url

    assert found is not None
    assert url == found.get_secret_value()


@pytest.mark.parametrize("url", BAD)
def test_bad_addresses_are_refused(tmp_path: Path, url: str) -> None:
    """With what an address looks like, and without the address."""
    found = problem(tmp_path, yaml.safe_dump({"redis": {"url": url}}))

    assert found.path == "redis.url"
    assert found.expected.startswith("an address like redis://")


def test_a_refused_address_is_not_shown(tmp_path: Path) -> None:
    """It may hold a password."""
    found = problem(tmp_path, f"redis: {{url: 'redis://:{CANARY}@h:port'}}")

    assert CANARY not in repr(found)


def test_an_empty_address_means_memory(tmp_path: Path) -> None:
    """So that a variable may be left out."""
    settings = loaded(tmp_path, 'redis: {url: "${REDIS_URL:-}"}').settings

    assert settings.redis.url is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("redis: {timeout_s: 0}", "redis.timeout_s"),
        ("redis: {timeout_s: 60}", "redis.timeout_s"),
        ("redis: {key_prefix: 'a b'}", "redis.key_prefix"),
        ("redis: {key_prefix: '{tag}'}", "redis.key_prefix"),
        ("redis: {fail: {circuits: maybe}}", "redis.fail.circuits"),
    ],
)
def test_values_without_sense_are_refused(tmp_path: Path, text: str, path: str) -> None:
    """Each with its path."""
    found = problem(tmp_path, text)

    assert found.path == path
