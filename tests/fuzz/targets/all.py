"""Every fuzz target by its name."""

from __future__ import annotations

from tests.fuzz.targets import configuration, guard, redaction, replies, requests, streams

TARGETS = {
    target.name: target
    for target in (
        requests.TARGET,
        streams.TARGET,
        replies.TARGET,
        redaction.REDACTOR,
        redaction.RESTORER,
        guard.TARGET,
        configuration.TARGET,
    )
}
