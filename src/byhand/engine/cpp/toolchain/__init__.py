"""From C++ source to a loaded library: the compiler, the libraries it made, and the processor that runs them."""
