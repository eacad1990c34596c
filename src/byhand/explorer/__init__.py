"""The explorer: a page in which a model can be seen, walked through and changed."""
