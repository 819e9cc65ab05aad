"""
Adapters that inspect content with a library or an external service; the ports are in `app/core`.
"""
