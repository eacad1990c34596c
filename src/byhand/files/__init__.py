"""Files: written whole or not at all, and refused if a byte is not as it was written."""
