"""
Where the request log is kept.

`book.py` takes the entries and writes them in batches; a store per file keeps the newest: this process's memory, a file
of SQLite that all workers of a machine share, or a stream of Redis that all replicas share.
"""
