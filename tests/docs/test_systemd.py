"""The unit for systemd fits the gateway."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from app.config.schema import Settings
from app.serving.workers import LEAVE_S

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "wizard.service"


def service() -> configparser.SectionProxy:
    """Return the section about the service."""
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign] # systemd minds upper and lower case
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    return unit["Service"]


def test_it_waits_as_long_as_the_gateway_does() -> None:
    """Systemd kills nothing that still drains with the default settings."""
    server = Settings().server

    assert int(service()["TimeoutStopSec"]) >= server.drain_delay_s + server.drain_s + LEAVE_S


def test_it_listens_to_what_the_gateway_says() -> None:
    """Readiness and signs of life are told by the gateway; a hang-up reloads."""
    found = service()

    assert (found["Type"], int(found["WatchdogSec"]) > 0) == ("notify", True)
    assert found["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert found["KillMode"] == "mixed"


def test_it_starts_the_command() -> None:
    """The verb and its flag are those of the command, and a wrong configuration is not tried again."""
    found = service()

    assert re.fullmatch(r"/\S+/wizard serve --config /\S+\.yaml", found["ExecStart"])
    assert found["RestartPreventExitStatus"] == "2"
