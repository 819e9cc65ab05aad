"""
What tokens cost, in whole nano-dollars.

A provider counts the parts of a prompt or an answer inside its totals (`Usage`), so each token is charged once: at the
price of the most special part it belongs to. A part without a price of its own has that of the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from app.core.call import Target
from app.core.money import nano
from app.core.usage import Usage

_NANO_PER_MTOK: Final = 1_000  # a dollar per million tokens is a thousand nano-dollars per token


class Price(msgspec.Struct, frozen=True):
    """
    US dollars per million tokens, and per image and request.

    `cached` is for what the provider had in its prompt cache, `cache_write` for what it put there. None has the price
    of the whole: `input` for parts of the prompt, `output` for parts of the answer.
    """

    input: float = 0.0
    output: float = 0.0
    cached: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None
    audio_input: float | None = None
    audio_output: float | None = None
    image_usd: float = 0.0
    request_usd: float = 0.0

    def of(self, usage: Usage, images: int = 0) -> int:
        """Return what `usage` and `images` made cost, in nano-dollars."""
        prompt, answer = usage.prompt_tokens_details, usage.completion_tokens_details
        audio_in = (prompt and prompt.audio_tokens) or 0
        audio_out = (answer and answer.audio_tokens) or 0
        plain_in = max(0, usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens - audio_in)
        plain_out = max(0, usage.completion_tokens - usage.reasoning_tokens - audio_out)
        dollars_per_mtok = (
            plain_in * self.input
            + usage.cached_tokens * _or(self.cached, self.input)
            + usage.cache_write_tokens * _or(self.cache_write, self.input)
            + audio_in * _or(self.audio_input, self.input)
            + plain_out * self.output
            + usage.reasoning_tokens * _or(self.reasoning, self.output)
            + audio_out * _or(self.audio_output, self.output)
        )
        return round(dollars_per_mtok * _NANO_PER_MTOK) + nano(self.request_usd + images * self.image_usd)

    @property
    def free(self) -> bool:
        """Say whether nothing can cost anything."""
        return not any(getattr(self, name) for name in self.__struct_fields__)


Prices: TypeAlias = Callable[[Target], Price | None]  # None: nobody knows


def _or(price: float | None, whole: float) -> float:
    return whole if price is None else price
