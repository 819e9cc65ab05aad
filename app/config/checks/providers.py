"""Check the settings of providers against their kind."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from app.config.checks.complaint import Complaint, Complaints, Names, unusable
from app.config.fields import UNIX
from app.config.plugins import PROVIDER_KINDS
from app.config.presets import PRESETS, dialect_of
from app.config.problems import MISSING, shown
from app.config.routing import Provider
from app.config.schema import Settings

# Settings that in-process kinds do not use, and refuse.
_UNUSED: Final = MappingProxyType(
    {
        "sim": ("base_url", "api_key", "api_keys", "headers", "proxy"),
        "local": ("base_url", "api_key", "api_keys", "proxy"),
    }
)
_RESPONDING: Final = frozenset({"openai", "azure"})  # dialects of servers that may have the Responses API
_PEM_FILES: Final = ("ca_file", "certificate_file", "key_file")
# The module that authenticates the requests of a dialect without a key, and the extra that installs it.
_EXTRAS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"bedrock": ("botocore", "bedrock"), "vertex": ("google.auth", "vertex")}
)


def unusable_settings(settings: Settings, _names: Names) -> Complaints:
    """Find settings that a provider does not use, conflicting keys, and missing requirements."""
    for name, provider in settings.providers.items():
        for field, complaint in _provider(provider):
            yield ("providers", name, field), complaint
        yield from unusable(("providers", name, "kind"), provider.kind, "kind", PROVIDER_KINDS)


def _provider(provider: Provider) -> Iterator[tuple[str, Complaint]]:
    for field in _UNUSED.get(provider.kind, ()):
        if getattr(provider, field):
            yield field, Complaint("(set)", f"no {field}: kind {provider.kind} needs none", "remove it")
    if provider.api_keys and provider.api_key:
        yield "api_keys", Complaint("(set)", "either api_key or api_keys", "move the one key into the list")
    if provider.api_keys and "authorization" in provider.headers:
        expected = "no authorization besides api_keys"
        yield "headers", Complaint("authorization is set", expected, "remove one of the two")
    if (provider.aws_access_key_id is None) != (provider.aws_secret_access_key is None):
        missing = "aws_access_key_id" if provider.aws_access_key_id is None else "aws_secret_access_key"
        yield missing, Complaint(MISSING, "the id and the secret of a key together", f"add {missing}")
    if provider.api == "responses":
        yield from _responses(provider)
    yield from _way(provider)
    yield from _address(provider)
    yield from _extra(provider)


def _responses(provider: Provider) -> Iterator[tuple[str, Complaint]]:
    """Find providers that do not have the Responses API."""
    if provider.kind in {"sim", "local"} or dialect_of(provider.kind, provider.base_url or "") not in _RESPONDING:
        yield "api", Complaint("responses", f"chat: kind {provider.kind} has no other", "remove it")
    elif provider.api_version is not None:
        yield "api_version", Complaint(provider.api_version, "null: responses are in the v1 API only", "remove it")


def _way(provider: Provider) -> Iterator[tuple[str, Complaint]]:
    """Find a proxy or HTTP/2 that cannot work with the address."""
    address = provider.base_url or ""
    if provider.proxy and address.startswith(UNIX):
        yield "proxy", Complaint("(set)", "null: a socket is reached without one", "remove it")
    if not provider.http2:
        return
    if not address.startswith("https://"):
        yield "http2", Complaint("true", "false, as HTTP/2 is agreed on by TLS and base_url is no https", "remove it")
    elif not _is_installed("h2"):
        advice = "install it with: pip install 'wizard-gateway[http2]'"
        yield "http2", Complaint("true", "false, as the package h2 is not installed", advice)


def tls(settings: Settings, _names: Names) -> Complaints:
    """Find certificates that have no effect or cannot be used."""
    for name, provider in settings.providers.items():
        for field, complaint in _tls(provider):
            yield ("providers", name, "tls", field), complaint


def _tls(provider: Provider) -> Iterator[tuple[str, Complaint]]:
    configured, (authorities, certificate, key) = provider.tls, _PEM_FILES
    for field in _PEM_FILES:
        if getattr(configured, field) and not (provider.base_url or "").startswith("https://"):
            yield field, Complaint(shown((), getattr(configured, field)), "null, as base_url is no https", "remove it")
            return
    if configured.key_file and not configured.certificate_file:
        yield certificate, Complaint(MISSING, "the certificate that key_file belongs to", f"add {certificate}")
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without the system's authorities, which take 18 ms to read
    try:
        if configured.ca_file:
            context.load_verify_locations(configured.ca_file)
    except OSError as error:
        expected = "the path of a readable PEM file with certificates of authorities"
        yield authorities, Complaint(shown((), configured.ca_file), expected, _repair(error))
    try:
        if configured.certificate_file:
            # an empty password, so OpenSSL never asks on a terminal
            context.load_cert_chain(configured.certificate_file, configured.key_file, password="")
    except OSError as error:
        expected = f"the path of a readable PEM file with a certificate that fits its {key}, which has no password"
        yield certificate, Complaint(shown((), configured.certificate_file), expected, _repair(error))


def _repair(error: OSError) -> str:
    return "correct the path" if isinstance(error, FileNotFoundError) else "look at the files"


def _address(provider: Provider) -> Iterator[tuple[str, Complaint]]:
    """Find missing parts of a preset's address."""
    preset = PRESETS.get(provider.kind)
    if preset is None:
        return
    missing = [name for name in preset.open if not getattr(provider, name)]
    if provider.base_url is None:
        for name in missing:
            yield (
                name,
                Complaint(MISSING, f"what stands for {{{name}}} in {preset.base_url}", f"add {name}, or base_url"),
            )
    elif "region" in missing and provider.kind == "bedrock" and not provider.api_key and not provider.api_keys:
        yield "region", Complaint(MISSING, "the region that requests are signed for", "add region")


def _extra(provider: Provider) -> Iterator[tuple[str, Complaint]]:
    """Find kinds whose authentication needs a package that is not installed."""
    module, extra = _EXTRAS.get(dialect_of(provider.kind, provider.base_url or ""), ("", ""))
    if module and not provider.api_key and not provider.api_keys and not _is_installed(module):
        expected = f"a key, or the package {module.replace('.', '-')}"
        suggestion = f"install it with: pip install 'wizard-gateway[{extra}]'"
        yield "kind", Complaint(repr(provider.kind), expected, suggestion)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package is missing
        return False


def health(settings: Settings, _names: Names) -> Complaints:
    """Find health checks without a model."""
    for name, provider in settings.providers.items():
        if provider.health.enabled and provider.health.model is None:
            expected = "a model of the provider, the cheapest that it has"
            yield ("providers", name, "health", "model"), Complaint(MISSING, expected, "name one, or remove health")
