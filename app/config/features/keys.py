"""The section `keys`: virtual keys."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from app.config.features.budgets import KeyBudget
from app.config.features.limits import KeyLimit
from app.config.fields import Expected, ModelName, Section, mismatch, such
from app.core.parameters import Role

# Prefixes of ids that are assigned elsewhere: to keys created at runtime, to tokens, and to anonymous callers.
RESERVED: Final = ("key_", "jwt_", "open")


def _moment(value: object) -> object:
    """Convert a date, a time, or ISO 8601 text to seconds since 1970; UTC unless a zone is given."""
    if isinstance(value, bool):
        raise mismatch()
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise mismatch() from error
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return value


Moment = Annotated[
    float,
    BeforeValidator(_moment),
    Field(ge=0, le=253_402_300_799),
    Expected("a date or a time, such as 2027-01-31 or 2027-01-31T12:00:00+01:00"),
]
KeyName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,127}$"),
    such(lambda name: not name.startswith(RESERVED)),
    Expected(f"a name of letters, digits and _.@+- that does not begin with {', '.join(RESERVED)}"),
]
StoredHash = Annotated[
    str,
    Field(pattern=r"^(sha256|hmac-sha256):[0-9A-Fa-f]{64}$"),
    Expected("what `wizard keys new` prints: sha256: or hmac-sha256: and 64 hexadecimal digits"),
]
Word = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\s\x00-\x1f\x7f]+$"), Expected("a word")]


class VirtualKey(Section):
    """One key that callers may use, and what they may do with it."""

    name: KeyName = Field(description="What the key is called; limits and stored data belong to it.")
    hash: StoredHash = Field(description="Hash of the key; the key itself stands nowhere.")
    previous_hash: StoredHash | None = Field(default=None, description="Hash of the key before, while it is rotated.")
    previous_until: Moment | None = Field(default=None, description="When the key before ends; null is never.")
    team: Word | None = Field(default=None, description="The team that it belongs to.")
    user: Word | None = Field(default=None, description="The user that it belongs to.")
    tags: tuple[Word, ...] = Field(default=(), description="Tags of all its calls in usage reports.")
    models: tuple[ModelName, ...] | None = Field(
        default=None, description="Routes and provider/model that it may use, * for any text; null allows all."
    )
    roles: tuple[Role, ...] | None = Field(
        default=None, description="Roles that messages of its calls may have; null allows all."
    )
    expires: Moment | None = Field(default=None, description="When the key ends; null is never.")
    priority: Literal["high", "normal", "low"] | None = Field(
        default=None, description="Priority of its calls, which they may lower; null lets each call say its own."
    )
    limits: tuple[KeyLimit, ...] = Field(default=(), description="Rate limits of this key, besides those for all.")
    budget: KeyBudget | None = None


Keys: TypeAlias = tuple[VirtualKey, ...]
