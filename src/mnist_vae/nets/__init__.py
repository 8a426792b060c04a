"""Networks: what they are, how they start, how they are kept, where they are computed."""
