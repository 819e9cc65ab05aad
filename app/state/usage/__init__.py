"""
Stores of usage totals.

`book.py` listens and adds up; each other file is a store: this process's memory, an SQLite file that all workers of a
machine share, or Redis.
"""
