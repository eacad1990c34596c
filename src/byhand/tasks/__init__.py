"""Tasks to train on: Lightning data modules, generated or shipped by a library, never downloaded."""

from byhand.tasks.adding import Adding
from byhand.tasks.task import Form, Sequences, Task

__all__ = ["Adding", "Form", "Sequences", "Task"]
