"""Answers of servers that only resemble OpenAI: what cannot be read is none, and never a failure."""

from __future__ import annotations

import msgspec
import pytest

from app.core.dialects.chat import details_of, stop_text_of, text_of
from app.core.dialects.reasoning import ReasoningDetail

RAW = msgspec.Raw


@pytest.mark.parametrize("raw", [b"", b"null", b'"a"', b"[7]", b'[{"type":7}]', b'[{"text":"no type"}]'])
def test_unknown_entries_of_reasoning_are_none(raw: bytes) -> None:
    """Entries in another form are left out."""
    assert details_of(RAW(raw)) == []


def test_entries_of_reasoning_are_read() -> None:
    """Members that nobody knows are skipped."""
    assert details_of(RAW(b'[{"type":"reasoning.text","text":"a","x":1}]')) == [ReasoningDetail("reasoning.text", "a")]


@pytest.mark.parametrize(("raw", "text"), [(b"", None), (b"7", None), (b"null", None), (b'"###"', "###")])
def test_stop_texts(raw: bytes, text: str | None) -> None:
    """Some servers tell the stop text, some a token's number."""
    assert stop_text_of(RAW(raw)) == text


def test_parts_of_an_answer_are_joined() -> None:
    """Parts without text add none."""
    parts = [RAW(part) for part in (b'{"type":"text","text":"a"}', b'{"type":"image"}', b'"b"', b'{"text":7}')]

    assert text_of(parts) == "a"
    assert text_of("a") == "a"
