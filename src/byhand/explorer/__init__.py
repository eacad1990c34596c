"""The explorer: a page in which a model can be seen, walked through and changed."""

from byhand.explorer.explorer import Explorer, explore
from byhand.nn.snapshots import Snapshots

__all__ = ["Explorer", "Snapshots", "explore"]
