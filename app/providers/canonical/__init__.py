"""
The canonical form, OpenAI's chat completions: codecs of other dialects read requests and write answers in it.

Nothing here knows any other dialect or does I/O.

Here and in the codecs, functions that write a request raise UNSUPPORTED_FEATURE or INVALID_REQUEST with the name of the
part, and functions that read an answer raise BAD_UPSTREAM_REPLY or the error that was sent in its place. Docstrings
name only other errors.
"""
