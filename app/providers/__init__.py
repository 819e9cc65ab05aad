"""Providers: codecs without I/O, the endpoint that sends requests and reads answers, and its HTTP clients."""
