"""Callbacks: what is measured, printed, drawn and kept while a training runs."""

from byhand.train.callbacks.callbacks import AtValidations, GateMonitor, Reproducible, SampleText, StopOnNaN, StopWhen
from byhand.train.callbacks.snapshots import SnapshotCallback

__all__ = ["AtValidations", "GateMonitor", "Reproducible", "SampleText", "SnapshotCallback", "StopOnNaN", "StopWhen"]

Gates, Reached, Diverged = GateMonitor, StopWhen, StopOnNaN  # by which earlier configurations name them
