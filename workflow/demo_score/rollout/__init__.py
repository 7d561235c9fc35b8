"""Trying a policy in an environment: step 2 of Demo-SCORE, and every evaluation."""
