"""
Streams that can be resumed at any replica: copies of their tapes in Redis, which only who knows a stream's id can read.

A tape holds what a client was shown, with the values that redaction put back, and nothing of that may be at rest. So
Redis gets it sealed by a key that is made from the stream's id, under a name that is made from it as well; the id, 128
bits of chance, is known to the client alone.

The process that reads the provider writes, in batches beside the call, and holds a lease as long as it lives; whoever
resumes the stream elsewhere reads the list in Redis and writes letters, by the same means as calls that replicas share
(`app/state/answers`).
"""
