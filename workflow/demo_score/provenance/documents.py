"""The documents that report results."""

# Markdown with blocks that `make docs` writes; `make verify` checks these, and published numbers elsewhere.
DOCUMENTS = (
    "README.md",
    "docs/results.md",
    "docs/tutorial.md",
    "docs/config.md",
    "docs/tables.md",
    "docs/arena.md",
    "docs/tasks.md",
)
