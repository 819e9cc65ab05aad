"""The HTTP edge: the only package that knows about ASGI, FastAPI or the shape of OpenAI's bodies on the client's side."""
