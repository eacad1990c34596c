"""Trained models and their inputs, out of files."""
