"""Which published vocabularies there are to count with, and how they cut text. Facts of tiktoken's `openai_public`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.tokens import Family

PACKAGE: Final = "tiktoken"
_SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_O200K = "|".join(
    (
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_SUFFIX}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_SUFFIX}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
_CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)


class Vocabulary(msgspec.Struct, frozen=True):
    """
    One vocabulary.

    `files` are the names under which its table may be found: the published one, and that in the cache of tiktoken,
    which is the SHA-1 of the table's address.
    """

    name: str
    pattern: str
    files: tuple[str, str]


VOCABULARIES: Final[Mapping[Family, Vocabulary]] = MappingProxyType(
    {
        Family.O200K: Vocabulary(
            "o200k_base", _O200K, ("o200k_base.tiktoken", "fb374d419588a4632f3f557e76b4b70aebbca790")
        ),
        Family.CL100K: Vocabulary(
            "cl100k_base", _CL100K, ("cl100k_base.tiktoken", "9b5ad71b2ce5302211f9c61530b329a4922fc6a4")
        ),
    }
)
