"""Training policies: steps 1 and 5 of Demo-SCORE."""
