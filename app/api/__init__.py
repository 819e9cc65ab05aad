"""The HTTP edge: the only package that depends on ASGI, FastAPI and the wire formats of clients."""
