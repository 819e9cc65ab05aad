"""Virtual keys created at run time: in the memory of this process, or in Redis for all replicas."""
