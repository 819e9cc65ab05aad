"""Anthropic behind the gateway, in its own dialect: the Messages API, at Anthropic and at every compatible server."""
