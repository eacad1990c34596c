"""SequenceModel: a recurrent stack under a linear head, with its losses, optimisers and initial weights."""

from byhand.train.model.sequence_model import SequenceModel

__all__ = ["SequenceModel"]
