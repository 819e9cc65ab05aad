"""How providers are reached: what fits together, and which files can be used."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest
import trustme

from app.assembly.providers import pool_options
from app.providers.pool import PoolOptions
from tests.config.cases import loaded, problem

HTTPS = "kind: openai, base_url: 'https://a/v1'"


class Without(MetaPathFinder):
    """Finds that a package is not installed."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, _path: object, _target: object = None) -> None:
        """Look for a package."""
        if name == self._package:
            raise ModuleNotFoundError(name)


def provider(text: str) -> str:
    """Return a configuration with one provider."""
    return f"providers: {{p: {{{text}}}}}"


def test_the_bounds_of_the_pool(tmp_path: Path) -> None:
    """By default they are the pool's own; one origin never has more than all."""
    usual = loaded(tmp_path, "{}").settings.upstream
    small = loaded(tmp_path, "upstream: {connections_max: 10, idle_s: 1, age_s: 2}").settings.upstream

    assert pool_options(usual) == PoolOptions()
    assert pool_options(small) == PoolOptions(connections_max=10, per_origin_max=10, idle_s=1, age_s=2)


@pytest.mark.parametrize("url", ["http+unix://%2Frun%2Fa.sock", "http+unix://%2frun%2fa-b_c.sock/v1", "https://a/v1/"])
def test_addresses(tmp_path: Path, url: str) -> None:
    """A provider may be at a socket of this machine."""
    found = loaded(tmp_path, provider(f"kind: openai, base_url: '{url}'")).settings.providers["p"].base_url

    assert found == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    ["http+unix://run/a.sock", "http+unix://", "http+unix:///run/a.sock", "http+unix://%2Fa?b", "unix:///a", "ftp://a"],
)
def test_addresses_that_are_none(tmp_path: Path, url: str) -> None:
    """The path of a socket has its slashes as %2F; what would be right is said."""
    found = problem(tmp_path, provider(f"kind: openai, base_url: '{url}'"))

    assert (found.path, "http+unix://%2F" in found.expected) == ("providers.p.base_url", True)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("kind: openai, base_url: 'http+unix://%2Fa', proxy: 'http://b'", "proxy"),
        ("kind: openai, base_url: 'http://a/v1', http2: true", "http2"),
        ("kind: sim, http2: true", "http2"),
        ("kind: sim, tls: {ca_file: a}", "tls.ca_file"),
        ("kind: openai, base_url: 'http://a/v1', tls: {certificate_file: a, key_file: b}", "tls.certificate_file"),
        (f"{HTTPS}, tls: {{key_file: a}}", "tls.certificate_file"),
        (f"{HTTPS}, tls: {{ca_file: /nowhere.pem}}", "tls.ca_file"),
        (f"{HTTPS}, tls: {{certificate_file: /nowhere.pem}}", "tls.certificate_file"),
        (f"{HTTPS}, tls: {{ca_file: {__file__}}}", "tls.ca_file"),
    ],
)
def test_ways_that_lead_nowhere(tmp_path: Path, text: str, path: str) -> None:
    """What cannot work together, or not at all, is found before a call does."""
    assert problem(tmp_path, provider(text)).path == f"providers.p.{path}"


def test_http2_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra, and the suggestion says which."""
    monkeypatch.delitem(sys.modules, "h2", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Without("h2"), *sys.meta_path])

    found = problem(tmp_path, provider(f"{HTTPS}, http2: true"))

    assert (found.path, "wizard-gateway[http2]" in found.suggestion) == ("providers.p.http2", True)


def test_files_that_can_be_used(tmp_path: Path) -> None:
    """Authorities, a certificate and its key, in files of their own."""
    authority = trustme.CA()
    issued = authority.issue_cert("gateway.test")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "own.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "own.key"))
    tls = f"ca_file: {tmp_path}/ca.pem, certificate_file: {tmp_path}/own.pem, key_file: {tmp_path}/own.key"

    found = loaded(tmp_path, provider(f"{HTTPS}, http2: true, tls: {{{tls}}}")).settings.providers["p"]

    assert (found.http2, found.tls.ca_file) == (True, f"{tmp_path}/ca.pem")
