"""The earlier place of byhand.train.callbacks.SnapshotCallback, which configurations of before name."""

from byhand.train.callbacks.snapshots import SnapshotCallback as Snapshots

__all__ = ["Snapshots"]
