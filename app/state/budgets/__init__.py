"""Budgets: accounts of spending in the memory of this process, or in Redis for all replicas."""
