"""
Check answers against a JSON schema: the one that the request asks for, or one of the operator's.

Schemas of requests come from callers: what they point to outside of themselves is never fetched, and their patterns run
in RE2, whose time grows with the text alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema
import msgspec
import re2
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from app.core.guards.checks import Quiet
from app.core.guards.guard import Ask, Complaint, Prompt, Said
from app.core.model import ChatRequest

_SCHEMAS_KEPT: Final = 256


class _Schema(msgspec.Struct, frozen=True):
    schema: msgspec.Raw = msgspec.Raw()


class _Format(msgspec.Struct, frozen=True):
    type: str = ""
    json_schema: _Schema = _Schema()


class JsonSchema(Quiet):
    """
    Complains of answers that are not what the schema says.

    Args:
        schema: The operator's; None takes each request's own `response_format`, where it has one.
    """

    name = "schema"

    def __init__(self, schema: Mapping[str, object] | None) -> None:
        self._own = None if schema is None else msgspec.json.encode(schema)

    async def check_answer(self, said: Said, prompt: Prompt, ask: Ask) -> Complaint | None:  # noqa: ARG002 - the protocol's
        """Complain of the first choice that does not fit; one that calls a tool instead of answering does."""
        schema = self._own or _asked_for(prompt)
        if schema is None or (said.tools and not said.contents):
            return None
        for content in said.contents:
            problem = _problem(content, schema)
            if problem is not None:
                return problem
        return None if said.contents else Complaint("empty")


def _asked_for(prompt: Prompt) -> bytes | None:
    """Return the schema of a request; one that merely asks for JSON has a schema that any object fits."""
    if not isinstance(prompt.request, ChatRequest) or not bytes(prompt.request.fields.response_format):
        return None
    try:
        wanted = msgspec.json.decode(prompt.request.fields.response_format, type=_Format)
    except msgspec.ValidationError:
        return None
    if wanted.type == "json_object":
        return b'{"type":"object"}'
    return bytes(wanted.json_schema.schema) or None if wanted.type == "json_schema" else None


def _problem(content: str, schema: bytes) -> Complaint | None:
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return Complaint("no_json")
    try:
        validator = _validator(schema)
        return None if validator is None or validator.is_valid(value) else Complaint("mismatch")
    except (Unresolvable, RecursionError):
        return Complaint("schema_unusable")


@lru_cache(maxsize=_SCHEMAS_KEPT)
def _validator(schema: bytes) -> Validator | None:
    """Return what checks values; None for a schema that is none, which is the caller's own affair."""
    decoded = msgspec.json.decode(schema)
    if not isinstance(decoded, dict | bool):
        return None
    try:
        _SAFE.check_schema(decoded)
    except SchemaError:
        return None
    return _SAFE(decoded, registry=Registry())  # empty, and never fetches anything


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


def _matches(pattern: str, text: str) -> bool:
    """Say whether a pattern matches somewhere; one that RE2 does not take matches everything."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options).search(text) is not None
    except re2.error:
        return True


_SAFE: Final = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {"pattern": _pattern, "patternProperties": _pattern_properties}
)
