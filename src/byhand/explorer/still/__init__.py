"""A still picture of a document, for places where nothing runs: drawn in Python, out of the very numbers that the page has."""
