"""Checks on the meaning of a prompt."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.config.fields import Section


class Injection(Section):
    """What happens with prompts that look like an injection."""

    policy: Literal["none", "observe", "flag", "block"] = Field(default="none", description="What happens with a find.")


class Guards(Section):
    """Checks on the meaning of a prompt."""

    injection: Injection = Field(default_factory=Injection, description="Prompt injection.")
