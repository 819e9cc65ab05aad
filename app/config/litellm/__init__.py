"""
A configuration of the LiteLLM proxy, told in the words of this gateway.

Nothing is lost in silence: whatever has no counterpart here is in the notes, with the reason.
Reads no environment: `os.environ/NAME` becomes `${NAME}`.
"""

from app.config.litellm.convert import Imported, convert
from app.config.litellm.files import read_litellm
from app.config.litellm.given import Note

__all__ = ["Imported", "Note", "convert", "read_litellm"]
