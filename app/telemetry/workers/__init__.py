"""
How the worker processes of one gateway hear from each other: one answers for all of them.

Each worker listens on a socket of its own in a directory that their parent made. Nobody keeps a list: whoever wants to
know something asks every socket that is there. With one worker there is no directory, and none of this runs.
"""
