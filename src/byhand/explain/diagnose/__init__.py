"""Diagnosis: what is wrong with a model, each finding with its evidence and advice."""

from byhand.explain.diagnose.diagnose import diagnose

__all__ = ["diagnose"]
