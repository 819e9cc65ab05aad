"""
OpenTelemetry spans of calls, in the words of its conventions for generative AI. Never content.

Nothing here is imported unless tracing is switched on. Whether a call is traced is decided before any span is built.
"""
