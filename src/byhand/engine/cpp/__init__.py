"""The C++ engine: a cell's programs, printed into one kernel template, compiled at first use and kept on disk."""
