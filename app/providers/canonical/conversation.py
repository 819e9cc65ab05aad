"""What every codec demands of turns, calls, results and tools before it writes them, refused in one voice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from app.core.dialects.absent import given_in, is_given
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.json_text import OBJECT
from app.providers.canonical.chat_request import Called, CalledFunction, Offered, OfferedFunction, Piece, Turn
from app.providers.canonical.unsupported import unsupported

T = TypeVar("T")
SYSTEM: Final = frozenset({"system", "developer"})
_ROLES: Final = SYSTEM | {"user", "assistant", "tool"}
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_NO_PARAMETERS: Final = msgspec.Raw(b'{"type":"object","properties":{}}')


def require_turn(turn: Turn, where: str, provider: str) -> None:
    """Refuse a turn of somebody unknown, and recordings of earlier answers, which no other provider has."""
    if turn.role not in _ROLES:
        raise unsupported(f"{where}.role", provider, f"it has no role {turn.role[:40]!r}")
    if is_given(turn.audio):
        raise unsupported(f"{where}.audio", provider, "it keeps no recordings of earlier answers")


def alternating(said: Iterable[tuple[str, Sequence[T]]]) -> list[tuple[str, list[T]]]:
    """Join what one side says in a row, by its role; who says nothing is left out."""
    joined: list[tuple[str, list[T]]] = []
    for role, parts in said:
        if parts and joined and joined[-1][0] == role:
            joined[-1][1].extend(parts)
        elif parts:
            joined.append((role, [*parts]))
    return joined


def no_part(piece: Piece, where: str, provider: str) -> GatewayError:
    """Return the refusal of a part of a kind that the dialect has no place for."""
    return unsupported(f"{where}.type", provider, f"it has no parts of type {piece.type[:40]!r}")


def function_in(call: Called, where: str, provider: str) -> CalledFunction:
    """Return the function of a call."""
    if call.function is None:
        raise unsupported(f"{where}.type", provider, "it calls functions only")
    return call.function


def arguments_of(function: CalledFunction, where: str) -> msgspec.Raw:
    """Return the arguments of the call at `where` as the JSON object that they must be; none are an empty one."""
    found = raw_object(function.arguments.strip() or "{}")
    if found is None:
        param = f"{where}.function.arguments"
        raise GatewayError(INVALID_REQUEST, f"{param!r} must be a JSON object as text.", param=param)
    return found


def raw_object(text: str) -> msgspec.Raw | None:
    """Return a text as the JSON object that it is, or None if it is none."""
    if not text.lstrip().startswith("{"):  # spares prose the attempt, which costs more than all the rest
        return None
    try:
        OBJECT.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return msgspec.Raw(text.encode())


def answered(turn: Turn, where: str) -> str:
    """Return the id of the call that a tool's message answers."""
    if not turn.tool_call_id:
        raise no_call(where)
    return turn.tool_call_id


def no_call(where: str) -> GatewayError:
    """Return the refusal of a result of nothing."""
    message = "A tool message must answer a tool call of a message before it."
    return GatewayError(INVALID_REQUEST, message, param=f"{where}.tool_call_id")


def called_functions(turns: Iterable[Turn]) -> dict[str, str]:
    """Return the name of the function behind each call, by the call's id."""
    return {call.id: call.function.name for turn in turns for call in turn.tool_calls or () if call.function}


def functions_in(
    offered: Iterable[Offered], only: Collection[str] | None, provider: str
) -> Iterator[tuple[Offered, OfferedFunction]]:
    """Yield the functions that are offered, each with the tool that it is; `only` are those that may be called."""
    for index, tool in enumerate(offered):
        if tool.type != "function" or tool.function is None:
            raise unsupported(f"tools[{index}].type", provider, f"it has no tools of type {tool.type[:40]!r}")
        if only is None or tool.function.name in only:
            yield tool, tool.function


def openai_tools(offered: Iterable[Offered], only: Collection[str] | None, provider: str) -> list[dict[str, Any]]:
    """Return the functions in OpenAI's own form, which some other dialects have taken over; see `functions_in`."""
    functions = [given for _, given in functions_in(offered, only, provider)]
    shown = [
        {"name": each.name, "parameters": parameters_of(each), "description": each.description} for each in functions
    ]
    return [{"type": "function", "function": given_in(function)} for function in shown]


def parameters_of(function: OfferedFunction) -> msgspec.Raw:
    """Return the schema of a function's parameters; one without takes none."""
    return function.parameters if is_given(function.parameters) else _NO_PARAMETERS


def require_effort(effort: str | None) -> None:
    """Refuse an effort that there is not."""
    if effort is not None and effort not in _EFFORTS:
        message = f"'reasoning_effort' must be one of {', '.join(_EFFORTS)}."
        raise GatewayError(INVALID_REQUEST, message, param="reasoning_effort")
