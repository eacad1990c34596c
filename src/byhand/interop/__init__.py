"""Models and layers of other frameworks, and the way back to them."""
