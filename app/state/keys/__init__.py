"""Virtual keys that were made while the gateway runs: in the memory of this process, or in Redis for all replicas."""
