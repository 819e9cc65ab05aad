"""
Routing: from a model name to the ordered targets of a call.

`table` resolves names, `candidates` checks what a target supports, `balancing` and `affinity` are the strategies;
`router` combines them.
"""
