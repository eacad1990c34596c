"""What is done before all that is large is imported: conftest.py imports this first.

No search for garbage while modules are imported and tests collected: a million objects that stay until the end.
"""

import atexit
import gc
import sys

from byhand.files import imports

gc.disable()
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment] # see tools/notebook.py


def resume() -> None:
    """What is there now is never looked through again, neither by later searches nor at the end."""
    gc.freeze()
    gc.enable()


def end() -> None:
    """Look through what has come since then, but once: pytest looks three times, and Triton's bindings want everything looked through."""
    gc.collect()
    gc.freeze()
    atexit.register(imports.leave)  # without a line for everything that Triton's bindings leave behind
