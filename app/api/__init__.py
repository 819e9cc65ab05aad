"""The HTTP edge: the only package that knows about ASGI, FastAPI or the client's side of OpenAI's dialect."""
