"""
Validate answers against a JSON schema: the request's own, or one from the configuration.

Request schemas are untrusted: external references are never fetched, patterns run in RE2, whose time is linear in the
text, and the number of validation steps is limited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import jsonschema
import msgspec
import re2
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema_specifications import REGISTRY
from referencing import Registry
from referencing.exceptions import Unresolvable

from app.core.guards.checks import Quiet
from app.core.guards.guard import Ask, Complaint, Prompt, Said
from app.core.model import ChatRequest

_SCHEMAS_KEPT: Final = 256
_STEPS_MAX: Final = 50_000  # evaluated keywords of a schema; takes a quarter of a second at most

_Check: TypeAlias = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]  # the check of one keyword

_steps_left: ContextVar[list[int]] = ContextVar("steps_left")


class _TooManySteps(Exception):  # noqa: N818 - a signal, caught here
    """A validation exceeded `_STEPS_MAX`."""


class _Schema(msgspec.Struct, frozen=True):
    schema: msgspec.Raw = msgspec.Raw()


class _Format(msgspec.Struct, frozen=True):
    type: str = ""
    json_schema: _Schema = _Schema()


class JsonSchema(Quiet):
    """
    Complains about answers that do not match the schema.

    Args:
        schema: The configured schema; None uses the `response_format` of each request, if any.
    """

    name = "schema"

    def __init__(self, schema: Mapping[str, object] | None) -> None:
        self._own = None if schema is None else msgspec.json.encode(schema)

    async def check_answer(self, said: Said, prompt: Prompt, ask: Ask) -> Complaint | None:  # noqa: ARG002 - the protocol's
        """Return a complaint about the first choice that does not match; tool calls without content are accepted."""
        schema = self._own or _requested_schema(prompt)
        if schema is None or (said.tools and not said.contents):
            return None
        for content in said.contents:
            problem = _problem(content, schema)
            if problem is not None:
                return problem
        return None if said.contents else Complaint("empty")


def _requested_schema(prompt: Prompt) -> bytes | None:
    """Return the schema of a request; `json_object` accepts any object."""
    if not isinstance(prompt.request, ChatRequest) or not bytes(prompt.request.fields.response_format):
        return None
    try:
        response_format = msgspec.json.decode(prompt.request.fields.response_format, type=_Format)
    except msgspec.ValidationError:
        return None
    if response_format.type == "json_object":
        return b'{"type":"object"}'
    return bytes(response_format.json_schema.schema) or None if response_format.type == "json_schema" else None


def _problem(content: str, schema: bytes) -> Complaint | None:
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return Complaint("no_json")
    try:
        validator = _validator(schema)
        return None if validator is None or _fits(validator, value) else Complaint("mismatch")
    except (Unresolvable, RecursionError, _TooManySteps):
        return Complaint("schema_unusable")


def _fits(validator: Validator, value: object) -> bool:
    _steps_left.set([_STEPS_MAX])
    fits: bool = validator.is_valid(value)
    return fits


@lru_cache(maxsize=_SCHEMAS_KEPT)
def _validator(schema: bytes) -> Validator | None:
    """Return a validator; None for an invalid schema: nothing is checked then."""
    decoded = msgspec.json.decode(schema)
    if not isinstance(decoded, dict | bool) or not _fits(_SCHEMA_VALIDATOR, decoded):
        return None
    return _SAFE_VALIDATOR(decoded, registry=Registry())  # an empty registry never fetches references


def _pattern(_validator: object, pattern: object, instance: object, _schema: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and isinstance(pattern, str) and not _matches(pattern, instance):
        yield ValidationError("does not match")


def _pattern_properties(
    validator: Any,  # noqa: ANN401 - the library's own type has no such method
    properties: Mapping[str, object],
    instance: object,
    _schema: object,
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, below in properties.items():
        for name, value in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(value, below, path=name, schema_path=pattern)


def _unique(_validator: object, wanted: object, instance: object, _schema: object) -> Iterator[ValidationError]:
    """Check uniqueness by JSON text, so 1 and 1.0 differ. The library's own check takes quadratic time."""
    if wanted and isinstance(instance, list):
        written = {msgspec.json.encode(item, order="sorted") for item in instance}
        if len(written) < len(instance):
            yield ValidationError("not unique")


def _matches(pattern: str, text: str) -> bool:
    """Return whether a pattern matches anywhere in a text; one that RE2 does not support matches everything."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options).search(text) is not None
    except re2.error:
        return True


def _counted(check: _Check) -> _Check:
    def counted(validator: Any, keyword: Any, instance: Any, schema: Any) -> Iterable[ValidationError] | None:  # noqa: ANN401 - the library's
        left = _steps_left.get()
        left[0] -= 1
        if left[0] < 0:
            raise _TooManySteps
        return check(validator, keyword, instance, schema)

    return counted


_LIBRARY: Final = jsonschema.Draft202012Validator
_OWN: Final[Mapping[str, _Check]] = MappingProxyType(
    {"pattern": _pattern, "patternProperties": _pattern_properties, "uniqueItems": _unique}
)
_SAFE_VALIDATOR: Final = jsonschema.validators.extend(
    _LIBRARY, {name: _counted(check) for name, check in {**_LIBRARY.VALIDATORS, **_OWN}.items()}
)
_SCHEMA_VALIDATOR: Final = _SAFE_VALIDATOR(_LIBRARY.META_SCHEMA, registry=REGISTRY)
