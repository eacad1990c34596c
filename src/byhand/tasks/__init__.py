"""Tasks to train on: Lightning data modules, generated or shipped by a library, never downloaded."""

from byhand.tasks.adding import Adding
from byhand.tasks.an_bn import AnBn
from byhand.tasks.companies import Companies
from byhand.tasks.continual_reber import ContinualReber
from byhand.tasks.copy_memory import CopyMemory
from byhand.tasks.digits import Digits
from byhand.tasks.embedded_reber import EmbeddedReber
from byhand.tasks.multiplication import Multiplication
from byhand.tasks.parity import Parity
from byhand.tasks.table.table import Table
from byhand.tasks.task import Form, Sequences, Task
from byhand.tasks.temporal_order import TemporalOrder
from byhand.tasks.text.text import Text
from byhand.tasks.timing import Timing

__all__ = [
    "Adding",
    "AnBn",
    "Companies",
    "ContinualReber",
    "CopyMemory",
    "Digits",
    "EmbeddedReber",
    "Form",
    "Multiplication",
    "Parity",
    "Sequences",
    "Table",
    "Task",
    "TemporalOrder",
    "Text",
    "Timing",
]

TASKS: dict[str, type[Task]] = {name: globals()[name] for name in __all__ if name not in ("Form", "Sequences", "Task")}
