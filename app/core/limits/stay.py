"""From a decision to the end of what it let in: what the answer used, as its provider counted it or as far as seen."""

from __future__ import annotations

from typing import Final

from app.core.call import Call, Reply
from app.core.errors import TIMEOUT_CONNECT, GatewayError
from app.core.model import Completion
from app.core.outcome import End, Outcome
from app.core.ports import Limits
from app.core.rules import Decision
from app.core.stream import Batch
from app.core.usage import Usage

CHARS_PER_TOKEN: Final = 4  # of an answer that broke off before its provider said how many it had
_CACHED: Final = frozenset({"hit", "coalesced"})  # somebody else's answer: this call made no provider work
_ENVELOPE_BYTES: Final = 300  # of JSON around the text of a whole answer


class Stay:
    """
    What a call, or one of its attempts, was let in for by a decision.

    `prompt` is how many tokens were sent, by estimate, which count as soon as a provider may have read them; None if
    nobody counts tokens.
    """

    __slots__ = ("_attempts", "_call", "_chars", "_decision", "_limits", "_pieces", "_prompt", "_seen", "_usage")

    def __init__(self, call: Call, limits: Limits, decision: Decision, prompt: int | None) -> None:
        self._call = call
        self._limits = limits
        self._decision = decision
        self._prompt = prompt
        self._attempts = call.journal.attempts
        self._usage: Usage | None = None
        self._seen = False
        self._chars = self._pieces = 0

    def watch(self, reply: Reply) -> None:
        """Look at a reply, and at its events as they pass, if somebody counts its tokens."""
        if self._prompt is None:
            return
        self._seen = True
        body = reply.body
        if not isinstance(body, Completion):
            body.transform(self._look)
        elif body.usage is not None:
            self._usage = body.usage
        else:
            self._chars = max(0, len(body.raw) - _ENVELOPE_BYTES)

    def close(self, outcome: Outcome) -> None:
        """Settle what was taken."""
        self._limits.settle(self._decision, 0 if self._prompt is None else self._used(outcome, self._prompt))

    def _used(self, outcome: Outcome, prompt: int) -> int:
        """Return the tokens that were used."""
        if self._call.journal.cache in _CACHED:
            return 0
        if self._usage is not None:
            return self._usage.total_tokens or self._usage.prompt_tokens + self._usage.completion_tokens
        if self._seen:
            return prompt + max(self._pieces, self._chars // CHARS_PER_TOKEN)
        asked = self._call.journal.attempts > self._attempts
        return prompt if asked and _worked(outcome) else 0

    def _look(self, batch: Batch) -> Batch:
        for event in batch:
            chunk = event.chunk
            if chunk is None:
                continue
            if chunk.usage is not None:
                self._usage = chunk.usage
            for choice in chunk.choices:
                said = choice.delta.content or choice.delta.reasoning_content
                if said:
                    self._pieces += 1
                    self._chars += len(said)
        return batch


def _worked(outcome: Outcome) -> bool:
    """Say whether a provider that was asked and gave no answer has read the prompt; for refusals none charges."""
    error = outcome.error
    if isinstance(error, GatewayError):
        return error.kind.category == "timeout" and error.kind is not TIMEOUT_CONNECT
    return outcome.end is End.ABANDONED
