"""
Where it is kept what was used.

`book.py` listens and adds up; a store per file takes the sums: this process's memory, a file of SQLite that all workers
of a machine share, or Redis.
"""
