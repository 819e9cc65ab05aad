"""
Hot reload: replace the gateway with one built from a newer configuration, without disturbing calls.

Building can fail, swapping cannot: the new gateway is complete before one reference changes. A call keeps the gateway
it started with. Nothing has to be closed, because everything that is opened (connections, the local model, the
listeners) outlives configurations.
"""

from __future__ import annotations

from app.reload.reloader import Holder, Parent, Reloader
from app.reload.watch import Watch

__all__ = ["Holder", "Parent", "Reloader", "Watch"]
