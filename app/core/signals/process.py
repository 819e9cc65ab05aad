"""How the process is: its configuration, its shared state, its workers, its end."""

from __future__ import annotations

from app.core.signals.signal import Signal


class ConfigReloaded(Signal, frozen=True):
    """
    The configuration was read again and is in use; `before` and `now` are digests, equal if nothing has changed.

    `changes` counts the settings that differ, and `changed` names the first of them, never their values.
    """

    before: str
    now: str
    changes: int = 0
    changed: str = ""


class ConfigRejected(Signal, frozen=True):
    """A newer configuration is bad and was not used; `path` names the first of its problems."""

    problems: int
    path: str


class StateDegraded(Signal, frozen=True):
    """Shared state went out of reach (`degraded`) or came back; `reason` is the type of the error."""

    degraded: bool
    reason: str


class DrainStarted(Signal, frozen=True):
    """The process was told to end; it takes calls for another `window_s` seconds, with `in_flight` requests open."""

    in_flight: int
    window_s: float


class DrainEnded(Signal, frozen=True):
    """Nothing is open any more; `cut` requests had to be cut off after `lasted_s`."""

    cut: int
    lasted_s: float


class WorkerReplaced(Signal, frozen=True):
    """
    A worker process was or is being replaced by another one.

    `reason` is died, hung, failed (it could not start), requests or memory (it was due to be recycled). `exit_code` is
    None while it still ends.
    """

    pid: int
    reason: str
    exit_code: int | None
