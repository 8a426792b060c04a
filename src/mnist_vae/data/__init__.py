"""Data sets: where their files come from, how they are proved and how they are read."""
