"""
The canonical chat form, as the codecs of other dialects read requests in it and write answers in it.

It is OpenAI's chat completions. Nothing here knows any other dialect, and nothing here does I/O.

Here and in the codecs, whatever writes a request raises UNSUPPORTED_FEATURE or INVALID_REQUEST with the name of the
part, and whatever reads an answer raises BAD_UPSTREAM_REPLY or the failure that was sent in its place. Docstrings name
only what goes beyond that.
"""
