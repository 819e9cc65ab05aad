"""How tokens are counted where an estimate is not enough."""

from __future__ import annotations

from pydantic import Field

from app.config.fields import Section


class Tokenizer(Section):
    """The vocabularies at hand; without them, and for models of other vocabularies, tokens are estimated."""

    tables: str | None = Field(
        default=None, description="Folder with tables of tiktoken, which has to be installed; null only estimates."
    )
