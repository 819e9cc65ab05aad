"""From a decision to the end of what it let in: what the answer used, as its provider counted it or as far as seen."""

from __future__ import annotations

from typing import Final

import msgspec

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


class Stay(msgspec.Struct):
    """
    What a call, or one of its attempts, was let in for by a decision, after so many `attempts`.

    `prompt` is how many tokens were sent, by estimate, which count as soon as a provider may have read them; None if
    nobody counts tokens. The rest is what was seen of the answer.
    """

    call: Call
    limits: Limits
    decision: Decision
    prompt: int | None
    attempts: int
    usage: Usage | None = None
    seen: bool = False
    chars: int = 0
    pieces: int = 0

    def watch(self, reply: Reply) -> None:
        """Look at a reply, and at its events as they pass, if somebody counts its tokens."""
        if self.prompt is None:
            return
        self.seen = True
        body = reply.body
        if not isinstance(body, Completion):
            body.transform(self._look)
        elif body.usage is not None:
            self.usage = body.usage
        else:
            self.chars = max(0, len(body.raw) - _ENVELOPE_BYTES)

    def close(self, outcome: Outcome) -> None:
        """Settle what was taken."""
        self.limits.settle(self.decision, 0 if self.prompt is None else self._used(outcome, self.prompt))

    def _used(self, outcome: Outcome, prompt: int) -> int:
        """Return the tokens that were used."""
        if self.call.journal.cache in _CACHED:
            return 0
        if self.usage is not None:
            return self.usage.total_tokens or self.usage.prompt_tokens + self.usage.completion_tokens
        if self.seen:
            return prompt + max(self.pieces, self.chars // CHARS_PER_TOKEN)
        asked = self.call.journal.attempts > self.attempts
        return prompt if asked and _worked(outcome) else 0

    def _look(self, batch: Batch) -> Batch:
        for event in batch:
            chunk = event.chunk
            if chunk is None:
                continue
            if chunk.usage is not None:
                self.usage = chunk.usage
            for choice in chunk.choices:
                said = choice.delta.content or choice.delta.reasoning_content
                if said:
                    self.pieces += 1
                    self.chars += len(said)
        return batch


def _worked(outcome: Outcome) -> bool:
    """Say whether a provider that was asked and gave no answer has read the prompt; for refusals none charges."""
    error = outcome.error
    if isinstance(error, GatewayError):
        return error.kind.category == "timeout" and error.kind is not TIMEOUT_CONNECT
    return outcome.end is End.ABANDONED
