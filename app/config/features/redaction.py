"""What is taken out of prompts before they leave."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.config.fields import Count, Section

Detector = Literal["email", "phone", "credit_card", "iban", "ssn", "ip", "secrets"]


class Redaction(Section):
    """What is taken out of prompts before they leave."""

    enabled: bool = Field(default=False, description="Whether prompts are redacted.")
    detectors: tuple[Detector, ...] = Field(
        default=("email", "phone", "credit_card", "iban", "ssn", "ip", "secrets"), description="What is looked for."
    )
    action: Literal["tokenize"] = Field(default="tokenize", description="What happens with a find.")
    streaming_window_chars: Count = Field(
        default=128, description="Characters held back in a stream to find split matches."
    )
