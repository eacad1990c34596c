"""What a trace means: pure functions of a Trace, or of a module and its input where gradients are needed."""
