"""Signals of the process: its configuration, its shared state, its workers, its shutdown."""

from __future__ import annotations

from app.core.signals.signal import Signal


class ConfigReloaded(Signal, frozen=True):
    """
    The configuration was reloaded and is in use; `before` and `now` are digests, equal if nothing has changed.

    `changes` counts the settings that differ, and `changed` names the first of them, without values.
    """

    before: str
    now: str
    changes: int = 0
    changed: str = ""


class ConfigRejected(Signal, frozen=True):
    """A newer configuration is not valid and was not used; `path` is where its first problem is."""

    problems: int
    path: str


class StateDegraded(Signal, frozen=True):
    """Shared state became unreachable (`degraded`) or reachable again; `reason` is the type of the error."""

    degraded: bool
    reason: str


class DrainStarted(Signal, frozen=True):
    """Shutdown began, with `in_flight` requests open; the process accepts calls for another `window_s` seconds."""

    in_flight: int
    window_s: float


class DrainEnded(Signal, frozen=True):
    """No request is open any more, after `lasted_s`; `cut` of them had to be cut off."""

    cut: int
    lasted_s: float


class WorkerReplaced(Signal, frozen=True):
    """
    A worker process was or is being replaced by another one.

    `reason` is died, hung, failed (it could not start), requests or memory (it was due to be recycled). `exit_code` is
    None until it has ended.
    """

    pid: int
    reason: str
    exit_code: int | None
