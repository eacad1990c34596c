"""Pictures: a Trace, or what byhand.explain made of it, in; a matplotlib Figure out."""
