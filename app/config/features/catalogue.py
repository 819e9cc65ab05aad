"""The sections `catalogue` and `tokenizer`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.config.fields import Count, ModelName, Section

Capability = Literal["tools", "vision", "json_schema", "audio", "reasoning"]


class ModelFacts(Section):
    """The operator's facts about one model; those left out are taken from the catalogue."""

    context_window: Count | None = Field(default=None, description="Tokens of prompt and answer.")
    max_output: Count | None = Field(default=None, description="Maximum tokens of an answer.")
    capabilities: frozenset[Capability] | None = Field(default=None, description="What it can do.")


class Catalogue(Section):
    """The data about models, and its uses."""

    file: str | None = Field(default=None, description="A file in place of the one that comes with the gateway.")
    models: dict[ModelName, ModelFacts] = Field(
        default_factory=dict, description="What is known better, by provider/model."
    )
    filters: bool = Field(
        default=True, description="Whether calls pass by targets that, as the catalogue has it, cannot serve them."
    )


class Tokenizer(Section):
    """The available vocabularies; tokens of models with other vocabularies are estimated."""

    tables: str | None = Field(
        default=None, description="Folder with tables of tiktoken, which has to be installed; null only estimates."
    )
