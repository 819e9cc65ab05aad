"""What may be spent, and what was: accounts in the memory of this process, or in Redis for all replicas."""
