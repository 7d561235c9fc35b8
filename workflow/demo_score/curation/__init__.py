"""Demo-SCORE's curation: classifiers of rollout success, and the demonstrations that they keep (steps 3 and 4)."""
