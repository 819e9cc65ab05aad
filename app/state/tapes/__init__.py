"""
Streams that can be resumed at any replica: encrypted copies of their tapes in Redis.

A tape holds what a client was shown, including values that redaction restored, and none of that may be stored in clear.
So its entries are encrypted with a key derived from the stream's id, under a name that is derived from it as well. Only
the client knows the id, 128 random bits.

The process that reads the provider writes the entries in batches outside the call, and holds a lease. A process at
which the stream is resumed reads the list in Redis and sends letters, as for shared calls (`app/state/answers`).
"""
