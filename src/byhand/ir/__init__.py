"""A step and its derivative as straight-line programs: what engines, equations and the page are made from.

One door: program_of(cell), and partition(cell) and cell_equations(cell) over it. What they give was held against the step itself.
"""

from byhand.cells.cell import printers
from byhand.ir.equations import cell_equations, latex, stated_equations
from byhand.ir.inner import program_with_products
from byhand.ir.partition import Partition, partition
from byhand.ir.program import Line, Program
from byhand.ir.store import program_of

__all__ = [
    "Line",
    "Partition",
    "Program",
    "cell_equations",
    "latex",
    "partition",
    "program_of",
    "program_with_products",
    "stated_equations",
]

printers |= {"equations": cell_equations, "latex": latex}
