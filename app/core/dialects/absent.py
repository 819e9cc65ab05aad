"""
The default `ABSENT` for struct fields of raw JSON, which means that the member is missing.

With `omit_defaults` msgspec omits a `Raw` field only if its value is the same object as the default, so all structs
share this one object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

ABSENT: Final = msgspec.Raw()
_NONE: Final = (b"", b"null")


def is_given(raw: msgspec.Raw) -> bool:
    """Return whether a member is present and not null."""
    return raw is not ABSENT and bytes(raw) not in _NONE


def present(raw: msgspec.Raw) -> msgspec.Raw:
    """Return `raw` if it is given, else `ABSENT`, so that encoding omits it."""
    return raw if is_given(raw) else ABSENT


def given_in(members: Mapping[str, object]) -> dict[str, Any]:
    """Return `members` without those that are None or `ABSENT`."""
    return {name: value for name, value in members.items() if value is not None and value is not ABSENT}
