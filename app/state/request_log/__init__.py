"""
Stores of the request log.

`book.py` collects entries and writes them in batches; each other file is a store of the newest ones: this process's
memory, an SQLite file that all workers of a machine share, or a Redis stream that all replicas share.
"""
