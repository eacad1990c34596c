"""Opening an address in the user's browser."""

from __future__ import annotations

import webbrowser


def open_in_browser(address: str) -> None:
    """Prints a line that says so where there is no browser to be found."""
    try:
        opened = webbrowser.open(address)
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        print(f"no browser was found here: open {address} in one", flush=True)
