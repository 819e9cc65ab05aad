"""Bodies in the OpenAPI description."""

from __future__ import annotations

from typing import Annotated

import msgspec

from app.api.json_routes import takes


class _Inner(msgspec.Struct):
    word: Annotated[str, msgspec.Meta(pattern=r"^a+\Z")]


class _Outer(msgspec.Struct, forbid_unknown_fields=True):
    """A body."""

    parts: list[_Inner] = []
    title: str | None = None


def test_a_body_is_described_in_one_piece() -> None:
    """Without references, which would lead nowhere, names of ours, or patterns that only Python knows."""
    content = takes(_Outer, {"title": "x"})["requestBody"]

    assert content == {
        "required": False,
        "content": {
            "application/json": {
                "example": {"title": "x"},
                "schema": {
                    "description": "A body.",
                    "type": "object",
                    "required": [],
                    "additionalProperties": False,
                    "properties": {
                        "parts": {
                            "type": "array",
                            "default": [],
                            "items": {
                                "type": "object",
                                "required": ["word"],
                                "properties": {"word": {"type": "string", "pattern": "^a+$"}},
                            },
                        },
                        "title": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                    },
                },
            }
        },
    }
