"""The field types of settings: their checks, and the descriptions of what they accept.

The descriptions are metadata of the type (`Expected`, `Choices`), so every failure of a field, whatever pydantic calls
it, is explained by one sentence next to the check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from app.config.plugins import PROVIDER_KINDS
from app.config.redis_address import is_redis_address
from app.core.errors import CIRCUIT_OPEN, KINDS, OVERLOADED, RATE_LIMITED, Again

_REFUSALS: Final = (CIRCUIT_OPEN, OVERLOADED, RATE_LIMITED)  # the gateway's own refusals, which it never retries
_RETRYABLE: Final = tuple(
    kind for kind in KINDS if kind.retryable and kind.again is not Again.NEVER and kind not in _REFUSALS
)
# What retry.errors accepts besides statuses: categories and codes of transient failures.
RETRY_WORDS: Final = tuple(
    dict.fromkeys([*(kind.category for kind in _RETRYABLE), *(kind.code for kind in _RETRYABLE)])
)

# Set by the HTTP client; a configured copy would break requests.
_FRAMING_HEADERS: Final = frozenset({"connection", "content-length", "content-type", "host", "transfer-encoding"})

UNIX: Final = "http+unix://"  # followed by the path of a socket, its slashes written as %2F

T = TypeVar("T")


class Section(BaseModel):
    """The base of every mapping in the configuration: frozen, and without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        validate_default=True,  # so a default of 30 becomes the same 30.0 as a written one, also in the digest
    )

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_null(cls, value: object, info: ValidationInfo) -> object:
        """Treat an empty text as null where null is allowed: "${NAME:-}" may be empty."""
        empty = isinstance(value, str) and not value.strip() and info.field_name is not None
        return None if empty and type(None) in get_args(cls.model_fields[str(info.field_name)].annotation) else value


@dataclass(frozen=True, slots=True)
class Expected:
    """A description of what a field accepts, if its type alone does not say it."""

    text: str


@dataclass(frozen=True, slots=True)
class Choices:
    """The closed list of words a text field accepts."""

    values: tuple[str, ...]


def mismatch() -> PydanticCustomError:
    """Return the error for a refused value, without the value, as it may be secret; `Expected` says what is allowed."""
    return PydanticCustomError("mismatch", "not what this field accepts")


def such(test: Callable[[Any], object]) -> AfterValidator:
    """Return a validator that refuses values that fail `test`."""

    def check(value: T) -> T:
        if not test(value):
            raise mismatch()
        return value

    return AfterValidator(check)


def such_secret(test: Callable[[str], object]) -> AfterValidator:
    """Return a validator that refuses secrets that fail `test`; None is accepted."""
    return such(lambda value: value is None or test(value.get_secret_value()))


def _form(pattern: str) -> AfterValidator:
    return such(re.compile(pattern).fullmatch)


def stripped(value: object) -> object:
    """Strip spaces and line breaks from a text; files and variables often have them."""
    return value.strip() if isinstance(value, str) else value


def lowered(value: object) -> object:
    """Convert a text to lower case."""
    return value.lower() if isinstance(value, str) else value


def listed(value: object) -> object:
    """Turn a single text into a list of one."""
    return (value,) if isinstance(value, str) else value


def _not_bool(value: object) -> object:
    # pydantic would accept true as 1, and YAML reads a bare `yes` as true.
    if isinstance(value, bool):
        raise mismatch()
    return value


def _status_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _is_base_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port or IPv6 host
        return False
    return valid and "@" not in parts.netloc and re.search(r"[?#]|[^\x21-\x7e]", value) is None


def _is_provider_url(value: str) -> bool:
    if not value.startswith(UNIX):
        return _is_base_url(value)
    return re.fullmatch(r"%2[Ff][\w.~%-]+(/[\w.~%/-]*)?", value.removeprefix(UNIX), re.ASCII) is not None


def _is_secret_address(value: str) -> bool:
    """Return whether a text is an address, whose path or query may contain a secret."""
    address, _, query = value.partition("?")
    return _is_base_url(address) and re.fullmatch(r"[\x21-\x22\x24-\x7e]*", query) is not None


def _distinct_headers(value: object) -> object:
    if isinstance(value, Mapping) and len({str(name).lower() for name in value}) < len(value):
        raise mismatch()
    return value


Whole = Annotated[int, BeforeValidator(_not_bool)]
Number = Annotated[float, BeforeValidator(_not_bool)]
# At most a day: a longer duration is most likely in the wrong unit.
Seconds = Annotated[Number, Field(gt=0, le=86_400)]
# At most a year.
Lifetime = Annotated[Number, Field(gt=0, le=31_536_000)]
Bytes = Annotated[Whole, Field(ge=1024, le=2**40)]
Count = Annotated[Whole, Field(ge=1, le=1_000_000_000)]
Ratio = Annotated[Number, Field(ge=0, le=1)]
# A hundred answers are recorded, so finer percentiles are unknown; below 0.5 most calls would count as slow.
Percentile = Annotated[Number, Field(ge=0.5, le=0.99)]

Weight = Annotated[Number, Field(gt=0, le=1_000_000)]
Price = Annotated[Number, Field(ge=0, le=1_000_000)]

Host = Annotated[
    str,
    _form(r"[A-Za-z0-9_.:%-]+"),
    Expected("a host name or an IP address, such as 127.0.0.1, 0.0.0.0 or ::"),
]
ProviderName = Annotated[
    str,
    _form(r"[A-Za-z0-9][A-Za-z0-9_.-]*"),
    Expected("a name of letters, digits, '_', '.' and '-' that starts with a letter or a digit"),
]
ModelName = Annotated[
    str,
    _form(r"[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+"),  # the last are surrogates, which no answer can encode
    Expected("a name without spaces and control characters"),
]
# The valid names depend on what is installed, so they are checked in `checks/routes.py`.
StrategyName = Annotated[str, _form(r"[A-Za-z0-9][A-Za-z0-9_.-]*"), Expected("the name of a strategy")]
RetryWord = Annotated[
    Annotated[str, such(lambda word: word in RETRY_WORDS or re.fullmatch(r"[45]\d\d", word)), Choices(RETRY_WORDS)],
    BeforeValidator(_status_text),
    Expected(f"a status from 400 to 599, or one of {', '.join(RETRY_WORDS)}"),
]
ProviderKind = Annotated[
    str,
    such(lambda kind: kind in PROVIDER_KINDS.own or kind in PROVIDER_KINDS.names),
    Choices(PROVIDER_KINDS.own),
]
_WITHOUT_SLASH = AfterValidator(lambda url: url.rstrip("/"))
_HTTP = "an http or https address with a host and without user, query, fragment and spaces, like https://example.com/v1"
HttpUrl = Annotated[
    Annotated[str, such(_is_base_url), _WITHOUT_SLASH] | None,
    BeforeValidator(stripped),
    Expected(_HTTP),
]
BaseUrl = Annotated[
    Annotated[str, such(_is_provider_url), _WITHOUT_SLASH] | None,
    BeforeValidator(stripped),
    Expected(f"{_HTTP}, or a socket, like {UNIX}%2Frun%2Fmodel.sock/v1"),
]
Place = Annotated[
    Annotated[str, _form(r"[A-Za-z0-9][A-Za-z0-9_.-]*")] | None,
    BeforeValidator(stripped),
    Expected("letters, digits, '_', '.' and '-'"),
]
SecretFile = Annotated[
    str | None,
    BeforeValidator(stripped),
    Expected("the path of a file with nothing but the key in it"),
]
_Key = Annotated[
    SecretStr,
    BeforeValidator(stripped),
    such_secret(re.compile(r"[\x21-\x7e]+").fullmatch),  # keys are sent in a header
    Expected("text of printable ASCII characters without spaces and line breaks"),
]
ApiKey = _Key | None
RedisUrl = Annotated[
    SecretStr | None,
    BeforeValidator(stripped),
    such_secret(is_redis_address),
    Expected(
        "an address like redis://user:password@host:6379/0 (rediss:// with TLS), redis+sentinel://host,host/master,"
        " redis+cluster://host,host or unix:///path, with options that are known"
    ),
]
SecretAddress = Annotated[
    SecretStr | None,
    BeforeValidator(stripped),
    such_secret(_is_secret_address),
    Expected("an http or https address with a host and without user, fragment and spaces"),
]
KeyPrefix = Annotated[
    str,
    _form(r"[A-Za-z0-9_.:-]{1,64}"),
    Expected("1 to 64 letters, digits, '_', '.', ':' and '-'"),
]
ApiKeys = Annotated[
    tuple[_Key, ...],
    such(lambda keys: len(set(keys)) == len(keys)),
    Expected("a list of keys, each of them once"),
]
HeaderName = Annotated[
    str,
    _form(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"),
    AfterValidator(str.lower),
    such(lambda name: name not in _FRAMING_HEADERS),
    Expected(f"a header name, and none of {', '.join(sorted(_FRAMING_HEADERS))}"),
]
HeaderValue = Annotated[
    str,
    _form(r"[\x20-\x7e]*"),
    Expected("text of printable ASCII characters without line breaks"),
]
Headers = Annotated[
    dict[HeaderName, HeaderValue],
    BeforeValidator(_distinct_headers),
    Expected("a mapping of header names to texts, each name once (upper and lower case are the same)"),
]
