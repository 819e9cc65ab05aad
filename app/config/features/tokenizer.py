"""The section `tokenizer`."""

from __future__ import annotations

from pydantic import Field

from app.config.fields import Section


class Tokenizer(Section):
    """The available vocabularies; tokens of models with other vocabularies are estimated."""

    tables: str | None = Field(
        default=None, description="Folder with tables of tiktoken, which has to be installed; null only estimates."
    )
