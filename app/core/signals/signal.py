"""What a signal is, and who hears it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec


class Signal(msgspec.Struct, frozen=True):
    """A fact: names, codes and numbers, and never a prompt, an answer, a key or the text of an error."""


Listener: TypeAlias = Callable[[Signal], None]
