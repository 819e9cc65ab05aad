"""
Convert a configuration of the LiteLLM proxy to one of this gateway.

Nothing is dropped silently: settings without a counterpart are listed in the notes, with the reason.
The environment is not read: `os.environ/NAME` becomes `${NAME}`.
"""
