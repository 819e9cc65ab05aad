"""
Questions between the worker processes of one gateway, so that any of them can answer for all.

Each worker listens on a Unix socket of its own in a directory that the parent made. There is no registry: a worker asks
every socket that it finds there. With one worker there is no directory, and none of this runs.
"""
