"""
A member of a JSON object that is not there, where its value is raw JSON.

msgspec leaves a member out that is at its default, and of raw JSON only the very object that is the default counts as
that: so all structs that are written share one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

ABSENT: Final = msgspec.Raw()
_NONE: Final = (b"", b"null")


def is_given(raw: msgspec.Raw) -> bool:
    """Say whether a member is there and not null."""
    return raw is not ABSENT and bytes(raw) not in _NONE


def present(raw: msgspec.Raw) -> msgspec.Raw:
    """Return a member as it can be written: itself if it is given, else the absent one."""
    return raw if is_given(raw) else ABSENT


def given_in(members: Mapping[str, object]) -> dict[str, Any]:
    """Return the members that are there; those that are None or the absent one are not."""
    return {name: value for name, value in members.items() if value is not None and value is not ABSENT}
