"""The base class of signals, and the type of their listeners."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec


class Signal(msgspec.Struct, frozen=True):
    """An event: names, codes and numbers, never a prompt, an answer, a key or the text of an error."""


Listener: TypeAlias = Callable[[Signal], None]
