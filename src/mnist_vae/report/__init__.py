"""The page that a person opens: the answer, every metric, every figure, how it was made."""
