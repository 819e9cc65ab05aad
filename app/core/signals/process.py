"""Signals of the process: configuration reloads, shared state, shutdown and worker replacement."""

from __future__ import annotations

from app.core.signals.signal import Signal


class ConfigReloaded(Signal, frozen=True):
    """
    The configuration was reloaded and is in use; `before` and `now` are digests, equal if nothing has changed.

    `changes` counts the settings that differ, and `changed` names the first of them, without their values.
    """

    before: str
    now: str
    changes: int = 0
    changed: str = ""


class ConfigRejected(Signal, frozen=True):
    """A newer configuration is invalid and was not applied; `path` is the setting with the first of its problems."""

    problems: int
    path: str


class StateDegraded(Signal, frozen=True):
    """Shared state became unreachable (`degraded`) or reachable again; `reason` is the type of the error."""

    degraded: bool
    reason: str


class DrainStarted(Signal, frozen=True):
    """Shutdown was requested with `in_flight` requests open; new ones are accepted for another `window_s` seconds."""

    in_flight: int
    window_s: float


class DrainEnded(Signal, frozen=True):
    """No request is open any more; the drain took `lasted_s`, and `cut` requests were aborted at its end."""

    cut: int
    lasted_s: float


class WorkerReplaced(Signal, frozen=True):
    """
    A worker process was replaced by another one, or is being replaced.

    `reason` is died, hung, failed (it could not start), or requests or memory (it reached that limit for recycling).
    `exit_code` is None while it is still exiting.
    """

    pid: int
    reason: str
    exit_code: int | None
