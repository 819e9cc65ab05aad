"""Check Redis: whether it answers, is fast enough and configured suitably, and agrees about the time."""

from __future__ import annotations

from importlib import import_module

from app.cli.doctor.finding import Finding, doubtful, fine, skewed, wrong
from app.config.schema import Settings
from app.core.clock import Clock

_SLOW_S = 0.02  # decisions wait for Redis, and have 50 ms in total


async def sharing_of(settings: Settings, clock: Clock) -> list[Finding]:
    """Check Redis, if one is configured."""
    configured = settings.redis
    if configured.url is None:
        return _alone(settings)
    probing = import_module("app.state.link.probe")  # importing redis-py takes half a second
    probed = await probing.probe_redis(configured.url.get_secret_value(), configured.key_prefix, clock)
    if probed.reason:
        advice = "check redis.url and whether Redis is up; until then each process decides alone (redis.fail)"
        return [wrong("redis", f"cannot be used ({probed.reason})", advice)]
    findings = [fine("redis", f"{probed.version} answers in {probed.latency_s * 1000:.1f} ms and takes writes")]
    if probed.latency_s > _SLOW_S:
        findings.append(doubtful("redis", "far away", "bring it nearer: decisions that take over 50 ms are lost"))
    if probed.policy.startswith("allkeys"):
        advice = "set maxmemory-policy to volatile-lru or noeviction: limits and circuits must not be forgotten"
        findings.append(doubtful("redis", f"may forget any key when it is full ({probed.policy})", advice))
    return [*findings, *skewed(probed.ahead_s, "Redis", "let NTP set both clocks")]


def _alone(settings: Settings) -> list[Finding]:
    if settings.server.workers == 1:
        return [fine("redis", "none: state lives in the memory of one process")]
    found = f"none, and {settings.server.workers} workers"
    advice = "each worker counts for itself; set redis.url so that limits, circuits and caches are shared"
    return [doubtful("redis", found, advice)]
