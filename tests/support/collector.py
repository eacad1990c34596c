"""No search for garbage while modules are imported and tests collected: a million objects that stay until the end.

Imported by conftest.py, before all that is large.
"""

import gc

gc.disable()


def resume() -> None:
    """What is there now is never looked through again, neither by later searches nor at the end."""
    gc.freeze()
    gc.enable()
