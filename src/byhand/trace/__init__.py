"""Traces: every value of a run, recorded, edited, saved and loaded.

An Observer of your own reads or changes what layers compute while `with active(observer):` lasts; record, edit and check_finite are such.
"""

from byhand.engine.observe import Observer, active
from byhand.trace.trace import Trace

__all__ = ["Observer", "Trace", "active"]
