"""
What calls share with each other: in the memory of this process, or in Redis with every replica.

A package for each feature that has such state, and in each the same files as far as there is something to say:

    memory.py    in this process (`Local…` and `Memory…`)
    redis.py     the decisions that Redis takes, or a store that is there and nowhere else (`Redis…`)
    sharing.py   what one replica makes of both: decided in Redis, by a policy while that is out of reach (`Shared…`)
    sqlite.py, file.py    in files, for the processes of one machine
    book.py      gathers what stores take in batches

`link` is what everything in Redis stands on, `scripts` are the decisions in Lua, `database` is a file of SQLite. What
sends commands is handed to an adapter as `link`, or as `submit` with the beginning of every key. What adapters return
as futures, and raise where they wait, is `StateLostError`.
"""
