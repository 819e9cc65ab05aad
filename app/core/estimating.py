"""How long the prompt of a call is, by estimate: worked out once for all stages that go by it."""

from __future__ import annotations

from app.core.call import Call
from app.core.tokens import prompt_tokens


def prompt_of(call: Call) -> int:
    """Return the tokens of a call's prompt, as `tokens.prompt_tokens` has them; a changed request is counted anew."""
    known = call.journal.prompt
    if known is not None and known[0] is call.request:
        return known[1]
    tokens = prompt_tokens(call.request)
    call.journal.prompt = (call.request, tokens)
    return tokens
