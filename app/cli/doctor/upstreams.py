"""Check the providers: whether they answer, accept the keys, list the models, and agree about the time."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

from app.cli.doctor.finding import Finding, doubtful, fine, skewed, wrong
from app.config.routing import Provider as ProviderSettings
from app.config.schema import Settings
from app.core.clock import Clock
from app.providers.discovery import Probed, probe
from app.providers.endpoint import Provider

_IN_PROCESS = ("sim", "local")  # kinds that answer in this process
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_SHOWN_MAX = 3


def wanted(settings: Settings) -> Iterator[tuple[str, ProviderSettings]]:
    """Return the providers that are reached over the network, with their names."""
    return ((name, each) for name, each in settings.providers.items() if each.kind not in _IN_PROCESS)


async def provider_of(name: str, settings: Settings, reached: Provider, clock: Clock) -> list[Finding]:
    """Probe a provider with each of its keys."""
    configured = settings.providers[name]
    findings: list[Finding] = []
    for position, headers in enumerate(_headers(configured, reached), start=1):
        subject = f"provider {name}" if len(configured.api_keys) < 2 else f"provider {name}, key {position}"  # noqa: PLR2004 - several
        probed = await probe(reached.base_url, headers, reached.client, clock)
        findings.append(_judged(subject, probed, _configured_models(name, settings)))
        if position == 1:
            findings += skewed(probed.ahead_s, name, "let NTP set this machine's clock")
    return findings


def _headers(configured: ProviderSettings, reached: Provider) -> Iterator[tuple[tuple[str, str], ...]]:
    keys = configured.api_keys if len(configured.api_keys) > 1 else ()
    if not keys:
        yield reached.headers
    for key in keys:
        yield (*reached.headers, ("authorization", f"Bearer {key.get_secret_value()}"))


def _configured_models(name: str, settings: Settings) -> tuple[str, ...]:
    """Return the models of a provider that the configuration names."""
    routed = [target.model for route in settings.models.values() for target in route.targets if target.provider == name]
    return tuple(dict.fromkeys([*settings.providers[name].models, *routed]))


def _judged(subject: str, probed: Probed, models: tuple[str, ...]) -> Finding:
    took = f"{probed.latency_s * 1000:.0f} ms"
    if probed.status is None:
        return wrong(subject, probed.reason, "check base_url, the network, and whether the provider is up")
    if probed.status in _REFUSED:
        return wrong(subject, f"refuses the key ({probed.status})", "check api_key; a new one may take minutes to work")
    if probed.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return wrong(subject, f"answers {probed.status} after {took}", "see the provider's status page")
    if probed.status != HTTPStatus.OK or probed.models is None:
        return fine(subject, f"answers after {took}, and does not list its models ({probed.status})")
    absent = [model for model in models if model not in probed.models]
    if absent:
        shown = ", ".join(absent[:_SHOWN_MAX])
        advice = "check their spelling; some providers do not list every model"
        return doubtful(subject, f"answers after {took}, but does not list {shown}", advice)
    return fine(subject, f"answers after {took}, lists {len(probed.models)} models")
