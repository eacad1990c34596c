"""The GPU engine: the programs of a cell, printed as Triton kernels. Triton itself is imported when the first kernel is loaded."""
