"""The arena: every method scores all demonstrations, keeps as many as the others, and is judged by its policy."""
