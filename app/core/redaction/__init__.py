"""
Find what must not leave, put something else in its place, and put it back into the answer.

Everything here is pure: text in, text out. `finding` says what a detector is, `detectors` holds the gateway's own,
`inspector` runs them, `body` walks through a request, `placeholders` keeps what was taken out for the length of one
call and puts it back, `hold_back` works on answers that come in pieces, and `answers` rewrites whole ones and streams.
"""
