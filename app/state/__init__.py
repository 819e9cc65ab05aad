"""What calls share with each other: in the memory of this process, or in Redis with every replica."""
