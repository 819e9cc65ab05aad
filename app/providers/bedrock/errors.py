"""What the failures of Bedrock mean: the names of its exceptions, by one table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core import errors as table
from app.core.errors import GatewayError, Kind
from app.providers.bedrock.eventstream import Message
from app.providers.canonical.decoding import heard_or
from app.providers.refusals import in_answer, kind_of_status, phrases, refused, retry_after_s, told_by

_EXCEPTIONS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "AccessDeniedException": table.TARGET_MISCONFIGURED,
        "ConflictException": table.CONFLICT,
        "ExpiredTokenException": table.TARGET_MISCONFIGURED,
        "IncompleteSignatureException": table.TARGET_MISCONFIGURED,
        "InternalServerException": table.TARGET_FAILED,
        "InvalidSignatureException": table.TARGET_MISCONFIGURED,
        "ModelErrorException": table.TARGET_FAILED,
        "ModelNotReadyException": table.TARGET_BUSY,
        "ModelStreamErrorException": table.TARGET_FAILED,
        "ModelTimeoutException": table.TARGET_TIMEOUT,
        "ResourceNotFoundException": table.TARGET_MODEL_MISSING,
        "ServiceQuotaExceededException": table.TARGET_RATE_LIMITED,
        "ServiceUnavailableException": table.TARGET_BUSY,
        "ThrottlingException": table.TARGET_RATE_LIMITED,
        "UnrecognizedClientException": table.TARGET_MISCONFIGURED,
        "ValidationException": table.INVALID_REQUEST,
    }
)
# A ValidationException says many things; these are the ones that are not the caller's fault, or have their own name.
_PHRASES: Final = phrases(
    (r"too long|too many input tokens|maximum (?:context|number of tokens)|context window", table.CONTEXT_TOO_LONG),
    (r"model identifier is invalid|on-demand throughput|model id", table.TARGET_MODEL_MISSING),
    (r"blocked by|content (?:filter|policy)", table.CONTENT_BLOCKED),
)


class _Body(msgspec.Struct, frozen=True):
    message: str = ""
    Message: str = ""  # as some of its gateways spell it
    type_: str = msgspec.field(default="", name="__type")

    @property
    def text(self) -> str:
        """Return what it says."""
        return self.message or self.Message


def error_of_status(status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> GatewayError:
    """Return the failure of a response with a status outside 200 to 299."""
    said = heard_or(_Body(), body)
    name = _name(headers.get("x-amzn-errortype", "") or said.type_)
    kind = _more_exactly(_EXCEPTIONS.get(name) or kind_of_status(status), said.text)
    return refused(status, kind, said.text, retry_after_s(headers, wall_s))


def error_in_stream(message: Message) -> GatewayError:
    """Return the failure that a message of type `exception` or `error` is."""
    given = message.headers.get(":exception-type") or message.headers.get(":error-code") or ""
    said = heard_or(_Body(), message.payload)
    kind = _more_exactly(_EXCEPTIONS.get(_name(given)) or table.TARGET_FAILED, said.text)
    return in_answer(kind, said.text)


def _more_exactly(kind: Kind, text: str) -> Kind:
    if kind is table.TARGET_RATE_LIMITED and "per day" in text:
        return table.TARGET_QUOTA_SPENT
    return told_by(_PHRASES, text, kind) if kind is table.INVALID_REQUEST else kind


def _name(given: str) -> str:
    """Return the bare name, as in `ThrottlingException` from `com.amazon.x#ThrottlingException:http://...`."""
    name = given.partition(":")[0].rpartition("#")[2]
    return name[:1].upper() + name[1:]  # streams write the first letter small
