#!/bin/sh
# torch 2.13.0: inside torch.compile, PackedSequence._replace(data=...) gives a PackedSequence without fields. Nothing is raised; the first
# access to .data is an IndexError, and code that only unpacks or counts the tuple goes on with nothing. The constructor is right.
# Seen: "eager 4 fields", "compiled, _replace: 0 fields", "compiled, PackedSequence(...): 4 fields".
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.4
"$folder/env/bin/python" - <<'PYTHON'
import torch
from torch.nn.utils.rnn import PackedSequence, pack_sequence


def replaced(packed):
    return packed._replace(data=packed.data * 2)


def constructed(packed):
    return PackedSequence(packed.data * 2, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)


packed = pack_sequence([torch.ones(4, 3), torch.ones(2, 3)])
found = {
    "eager": len(replaced(packed)),
    "compiled, _replace": len(torch.compile(replaced, backend="eager")(packed)),
    "compiled, PackedSequence(...)": len(torch.compile(constructed, backend="eager")(packed)),
}
print(torch.__version__, found)
assert list(found.values()) == [4, 0, 4], "the behaviour has changed"
PYTHON
