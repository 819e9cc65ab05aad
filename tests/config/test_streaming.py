"""The settings of streams whose clients leave and come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.sections import Resume
from tests.config.cases import loaded, problem


def test_nothing_goes_on_by_itself(tmp_path: Path) -> None:
    """Without a word leaving cancels, and streams cannot be resumed; a route says nothing of its own."""
    settings = loaded(
        tmp_path, "models: {fast: {targets: [{provider: s, model: a}]}}\nproviders: {s: {kind: sim}}"
    ).settings

    assert ("cancel", 100, Resume()) == (
        settings.streaming.on_disconnect,
        settings.streaming.drain_max,
        settings.streaming.resume,
    )
    assert settings.models["fast"].streaming.on_disconnect is None
    assert not settings.streaming.resume.enabled


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("{on_disconnect: keep}", "on_disconnect"),
        ("{drain_max: -1}", "drain_max"),
        ("{resume: {window_s: 0}}", "resume.window_s"),
        ("{resume: {max_streams: 0}}", "resume.max_streams"),
        ("{resume: {stream_max_bytes: many}}", "resume.stream_max_bytes"),
        ("{resume: {enabled: true}}\nserver: {workers: 2}", "resume.enabled"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, written: str, path: str) -> None:
    """Also streams that could be resumed only by chance, as each worker has its own."""
    assert f"streaming.{path}" == problem(tmp_path, f"streaming: {written}").path


def test_workers_share_streams_through_redis(tmp_path: Path) -> None:
    """Then they may be resumed with several of them."""
    given = "streaming: {resume: {enabled: true}}\nserver: {workers: 2}\nredis: {url: redis://127.0.0.1:6379}"

    assert loaded(tmp_path, given).settings.streaming.resume.enabled
