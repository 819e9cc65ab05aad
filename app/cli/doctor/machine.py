"""Check this machine, and whether a gateway runs on it."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import import_module

import httpx2

from app.cli.doctor.finding import Finding, doubtful, fine
from app.config.listening import places
from app.config.load import Loaded
from app.config.schema import Settings
from app.providers.local.wheels import missing

_FILES_MIN = 4096  # a stream needs two: the client's connection and the provider's
_TOKEN_MIN_CHARS = 16
_PATIENCE_S = 2.0


def machine(settings: Settings) -> Iterator[Finding]:
    """Yield the findings that need no network."""
    version = platform.python_version()
    yield fine("python", f"{platform.python_implementation()} {version} on {platform.system()} {platform.machine()}")
    yield _files()
    yield from _exposure(settings)
    if any(provider.kind == "local" for provider in settings.providers.values()):
        reason = missing()
        advice = "install the wheels of the extra 'local', or remove the provider"
        yield fine("local model", "installed") if reason is None else doubtful("local model", reason, advice)


def running(loaded: Loaded, url: str) -> Finding:
    """Check whether a gateway runs where this configuration would listen, and with which configuration."""
    try:
        answer = httpx2.get(f"{url}/readyz", timeout=_PATIENCE_S, trust_env=False)
        readiness = answer.json()
        status, digest = str(readiness["status"]), str(readiness["config_digest"])
    except httpx2.TransportError:
        return fine("gateway", f"none runs at {url}")
    except (ValueError, KeyError, TypeError):
        return doubtful("gateway", f"something else listens at {url}", "choose another server.port")
    if digest != loaded.digest:
        found = f"{status} at {url}, with another configuration ({digest}, here {loaded.digest})"
        return doubtful("gateway", found, "send it SIGHUP, or POST /admin/config/reload; settings may need a restart")
    if status != "ready":
        return doubtful("gateway", f"{status} at {url}", "see GET /readyz and the log")
    return fine("gateway", f"ready at {url}, with this configuration")


def _files() -> Finding:
    try:
        resource = import_module("resource")
    except ImportError:  # Windows has no such limit
        return fine("open files", "not limited")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # a gateway raises its soft limit to the hard one
    if 0 <= most < _FILES_MIN:
        advice = "raise the hard limit ('ulimit -Hn', LimitNOFILE=, --ulimit nofile=): each stream needs two"
        return doubtful("open files", f"at most {most}", advice)
    return fine("open files", "not limited" if most == resource.RLIM_INFINITY else f"at most {most}")


def _exposure(settings: Settings) -> Iterator[Finding]:
    token = settings.admin.token.get_secret_value()
    for place in places(settings):
        if not place.shared or settings.auth.required:
            yield fine("exposure", f"listens on {place.host}")
        else:
            advice = "require keys (auth.required), or let only trusted networks reach it"
            yield doubtful("exposure", f"whoever reaches {place.host} can spend the providers' keys", advice)
    if 0 < len(token) < _TOKEN_MIN_CHARS:
        yield doubtful("administration", "admin.token is short enough to be guessed", "use 32 random characters")
