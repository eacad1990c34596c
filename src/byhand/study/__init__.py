"""Studies: variants x tasks x seeds as a durable queue."""

from byhand.errors import StudyError
from byhand.study.study import Study, load

__all__ = ["Study", "StudyError", "load"]
