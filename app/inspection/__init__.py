"""
Adapters that look at content with a library or by asking another service: the ports are in `app/core`.
"""
