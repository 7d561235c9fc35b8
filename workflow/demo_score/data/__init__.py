"""Episodes: in memory, in files, and in dataset lists."""
