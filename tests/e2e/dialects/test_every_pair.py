"""Every official client in front, every dialect behind: what is said is what is heard, whole and streamed."""

from __future__ import annotations

import anthropic
import openai
import pytest

from tests.e2e.dialects.hearing import Clients, hear
from tests.e2e.dialects.speaking import SAID, script
from tests.e2e.support.upstream import Upstream

DIALECTS = ("chat", "anthropic", "responses")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", SAID)
@pytest.mark.parametrize("behind", DIALECTS)
@pytest.mark.parametrize("front", DIALECTS)
def test_what_is_said_is_heard(
    claude: anthropic.Anthropic,
    gpt: openai.OpenAI,
    upstream: Upstream,
    front: str,
    behind: str,
    case: str,
    stream: bool,
) -> None:
    """Text, reasoning, tool calls, why it ended and what it took arrive between every pair of dialects."""
    upstream.on("talker", script(behind, case, stream=stream))

    heard = hear(Clients(claude, gpt), front, f"{behind}/talker", stream=stream)

    assert heard == SAID[case]
