"""The document: all that the page shows, as JSON."""
