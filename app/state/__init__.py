"""
State that calls share: in the memory of this process, or in Redis with all replicas.

Each feature with shared state has a package, and each package the same files where they apply:

    memory.py    state in this process (`Local…` and `Memory…`)
    redis.py     the decisions in Redis, or a store that exists only there (`Redis…`)
    sharing.py   both combined for one replica: decided in Redis, or by a policy while it is out of reach (`Shared…`)
    sqlite.py, file.py    state in files, for the processes of one machine
    book.py      batches writes to a store

`link` is the connection to Redis, `scripts` has the decisions in Lua, `database` is an SQLite file. Adapters get the
connection as `link`, or as `submit` with the prefix of every key. Without Redis, their futures fail with, and their
coroutines raise, `StateLostError`.
"""
