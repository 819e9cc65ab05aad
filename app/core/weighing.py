"""How much of an answer a chunk carries, which decides when a stream is shown to the client."""

from __future__ import annotations

from app.core.model import Chunk, Delta, Weight


def weight_of(chunk: Chunk) -> Weight:
    """Return the weight of the weightiest of a chunk's choices; a finish counts as an answer."""
    weight = Weight.NOTHING
    for choice in chunk.choices:
        if choice.finish_reason:
            return Weight.ANSWER
        weight = max(weight, _weight(choice.delta))
    return weight


def _weight(delta: Delta) -> Weight:
    if delta.content or delta.tool_calls or delta.refusal or delta.function_call:
        return Weight.ANSWER
    if delta.reasoning_content or delta.reasoning:
        return Weight.THOUGHT
    return Weight.NOTHING
