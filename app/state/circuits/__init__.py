"""Circuit breakers of targets: decided by `circuit.py`, or by the same logic in Lua if replicas share circuits."""
