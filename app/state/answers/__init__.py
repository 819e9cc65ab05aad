"""Stored answers: in the memory of a process, in Redis, and how replicas share one upstream call."""
