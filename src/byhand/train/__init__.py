"""Training with Lightning: SequenceModel on any task; byhand fit, validate, test, predict."""

from byhand.files.imports import uncollected

with uncollected():  # of Lightning
    from byhand.train.model.sequence_model import SequenceModel
    from byhand.train.run import Outcome, train

__all__ = ["Outcome", "SequenceModel", "train"]
