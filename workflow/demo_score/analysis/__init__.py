"""What the evaluation episodes say: intervals, paired differences, tables."""
