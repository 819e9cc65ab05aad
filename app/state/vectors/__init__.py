"""Vectors of questions that were answered, to find a similar one: in the memory of this process, or in Redis."""
