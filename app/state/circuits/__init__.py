"""When a target is left alone: decided by `circuit.py`, or by the same words in Lua where replicas share circuits."""
