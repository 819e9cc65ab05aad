"""
The canonical chat form, as the codecs of other dialects read requests in it and write answers in it.

It is OpenAI's chat completions. Nothing here knows any other dialect, and nothing here does I/O.
"""
