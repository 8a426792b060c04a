"""The explorer: a page in which people play with the models, and a small form of it."""
