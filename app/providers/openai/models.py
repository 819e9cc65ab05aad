"""What tells OpenAI's models apart, where a request has to be written differently for them."""

from __future__ import annotations

import re
from typing import Final

# These answer without reasoning, and refuse every word about it; of a name that is none of OpenAI's nothing is known.
_NO_REASONING: Final = re.compile(r"(?:.*/)?(?:gpt-3|gpt-4|chatgpt-)")
# These know the bound of an answer under its newer name only.
_NEWER_BOUND: Final = re.compile(r"(?:.*/)?(?:gpt-[5-9]|o\d)")


def reasons(model: str) -> bool:
    """Say whether a model may be told how much to reason."""
    return _NO_REASONING.match(model) is None


def bounds_completions(model: str) -> bool:
    """Say whether a model takes `max_completion_tokens`, and refuses `max_tokens`."""
    return _NEWER_BOUND.match(model) is not None
