"""Where the page is shown: a file, a server on this machine, a widget in a notebook."""
