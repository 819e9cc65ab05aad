"""Serve Anthropic's Messages API: read its requests, write answers and errors as its SDKs expect them."""
