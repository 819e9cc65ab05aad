"""
From the name of a model to the targets that are tried, in order.

`table` knows the names, `candidates` what a target can do, `balancing` and `affinity` the strategies; `router` asks
them all.
"""
