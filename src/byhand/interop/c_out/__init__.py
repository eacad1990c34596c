"""A layer as one C file: weights, memory, one step."""
