"""What made a result, and whether it still follows from that."""
