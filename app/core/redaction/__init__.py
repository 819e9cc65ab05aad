"""
Redaction: finds sensitive values, replaces them, and restores them in the answer.

Everything here is pure: text in, text out. `finding` defines detectors, `detectors` has the built-in ones, `inspector`
runs them. `body` walks through a request. `placeholders` holds removed values for the length of one call and restores
them. `hold_back` finds values in streamed text, `answers` rewrites whole answers and streams.
"""
