"""
A configuration of the LiteLLM proxy, told in the words of this gateway.

Nothing is lost in silence: whatever has no counterpart here is in the notes, with the reason.
Reads no environment: `os.environ/NAME` becomes `${NAME}`.
"""
