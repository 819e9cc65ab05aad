"""What log and metrics tell of identities and sessions: ids and reasons, never a key or a word."""

from __future__ import annotations

import pytest

from app.core.signals import SessionTurnKept, Signal
from tests.telemetry.examples import (
    ACTED,
    FORBIDDEN,
    KEY_CHANGED,
    NO_TOKEN_KEYS,
    NOT_KNOWN,
    REPEATED,
    STRANGER,
    TOKEN_KEYS,
    TURN,
    TURN_LOST,
)
from tests.telemetry.test_logs import logged
from tests.telemetry.test_metrics import seen


@pytest.mark.parametrize(
    ("signal", "level", "event", "fields"),
    [
        (NOT_KNOWN, "info", "auth_refused", {"request_id": "req_1", "reason": "revoked", "key": "team-a"}),
        (FORBIDDEN, "info", "auth_refused", {"request_id": "req_1", "reason": "forbidden", "key": "team-a"}),
        (KEY_CHANGED, "info", "key_rotated", {"key": "key_1"}),
        (
            ACTED,
            "info",
            "admin_action",
            {
                "request_id": "req_1",
                "who": "admin",
                "peer": "10.0.0.7",
                "status": 200,
                "action": "DELETE /admin/keys/{key_id}",
                "subject": "key_1",
            },
        ),
        (
            STRANGER,
            "warning",
            "admin_refused",
            {"request_id": "req_1", "who": "stranger", "peer": "10.0.0.7", "status": 401},
        ),
        (TOKEN_KEYS, "info", "token_keys_loaded", {"keys": 2}),
        (TURN_LOST, "warning", "session_turn_lost", {"request_id": "req_1", "code": "state_unavailable"}),
        (NO_TOKEN_KEYS, "warning", "token_keys_unavailable", {"keys": 2, "reason": "target_unavailable"}),
    ],
)
async def test_each_becomes_its_line(signal: Signal, level: str, event: str, fields: dict[str, object]) -> None:
    """One line, with these fields and no others."""
    (line,) = logged([signal])
    del line["timestamp"]

    assert line == {"level": level, "event": event, **fields}


def test_they_are_counted() -> None:
    """Refusals by reason, changes of keys, and the keys of an issuer with the fetches that failed."""
    told: list[Signal] = [NOT_KNOWN, NOT_KNOWN, FORBIDDEN, KEY_CHANGED, TOKEN_KEYS, NO_TOKEN_KEYS]
    registry = seen([*told, TURN, SessionTurnKept(0), TURN_LOST, REPEATED])

    assert 2 == registry.get_sample_value("wizard_auth_refused_total", {"reason": "revoked"})
    assert 1 == registry.get_sample_value("wizard_auth_refused_total", {"reason": "forbidden"})
    assert 1 == registry.get_sample_value("wizard_key_changes_total", {"action": "rotated"})
    assert 2 == registry.get_sample_value("wizard_token_keys")
    assert 1 == registry.get_sample_value("wizard_token_key_fetches_failed_total")
    assert 2 == registry.get_sample_value("wizard_session_turns_total")
    assert 1 == registry.get_sample_value("wizard_idempotent_replays_total")
    assert 1 == registry.get_sample_value("wizard_session_turns_trimmed_total")
    assert 1 == registry.get_sample_value("wizard_session_turns_lost_total", {"reason": "state_unavailable"})
