"""
Prices of tokens, and costs in whole nano-dollars.

Providers include the parts of a prompt or an answer in its total (`Usage`), so each token is charged once: at the price
of its part (cached, reasoning, audio ...), or of the whole if the part has no price of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final, TypeAlias

import msgspec

from app.core.call import Call, Target
from app.core.money import nano
from app.core.tokens import answer_tokens, prompt_of
from app.core.usage import Usage

ANSWER_TOKENS: Final = 1024  # estimate for an answer of unbounded length
_NANO_PER_MTOK: Final = 1_000  # a dollar per million tokens is a thousand nano-dollars per token


class Price(msgspec.Struct, frozen=True, dict=True):
    """
    US dollars per million tokens, and per image and request.

    `cached` is for tokens read from the provider's prompt cache, `cache_write` for those written to it. None means the
    price of the whole: `input` for parts of the prompt, `output` for parts of the answer. If a prompt has more than
    `long_above_tokens`, the prices of `long` apply to the whole call.
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
    long_above_tokens: int | None = None
    long: Price | None = None

    def of(self, usage: Usage, images: int = 0) -> int:
        """Return the cost of a call with `usage` and `images` generated, in nano-dollars."""
        if self.long is not None and usage.prompt_tokens > (self.long_above_tokens or 0):
            return self.long.of(usage, images)
        if self.of_parts:
            millionths = self._prompt(usage) + self._answer(usage)
        else:
            millionths = usage.prompt_tokens * self.input + usage.completion_tokens * self.output
        tokens = round(millionths * _NANO_PER_MTOK)
        extra = self.request_usd + images * self.image_usd
        return tokens + nano(extra) if extra else tokens

    def _prompt(self, usage: Usage) -> float:
        details, total = usage.prompt_tokens_details, usage.prompt_tokens
        if details is None:
            return total * self.input
        cached, written, audio = details.cached_tokens or 0, details.cache_write_tokens or 0, details.audio_tokens or 0
        return _sum(total, self.input, (cached, self.cached), (written, self.cache_write), (audio, self.audio_input))

    def _answer(self, usage: Usage) -> float:
        details, total = usage.completion_tokens_details, usage.completion_tokens
        if details is None:
            return total * self.output
        reasoning, audio = details.reasoning_tokens or 0, details.audio_tokens or 0
        return _sum(total, self.output, (reasoning, self.reasoning), (audio, self.audio_output))

    @cached_property  # read by every call
    def of_parts(self) -> bool:
        """Return whether any part of a prompt or an answer has a price of its own."""
        parts = (self.cached, self.cache_write, self.reasoning, self.audio_input, self.audio_output)
        return any(price is not None for price in parts)

    @property
    def free(self) -> bool:
        """Return whether all prices are zero."""
        if self.input or self.output:  # the usual case
            return False
        return not any(getattr(self, name) for name in self.__struct_fields__)


def estimate_nusd(call: Call, price: Price) -> int:
    """Return the most that a call should cost; at least 1 nano-dollar, so that a used-up budget refuses it."""
    answer = answer_tokens(call.request)
    usage = Usage(prompt_of(call), ANSWER_TOKENS if answer is None else answer)
    return max(1, price.of(usage))


Prices: TypeAlias = Callable[[Target], Price | None]  # None: unknown


def _sum(total: int, whole: float, *parts: tuple[int, float | None]) -> float:
    """Return the cost in millionths of a dollar; `parts` are tokens with a price (None: that of the whole)."""
    amount = max(0, total - sum([tokens for tokens, _ in parts])) * whole
    for tokens, price in parts:
        amount += tokens * (whole if price is None else price)
    return amount
