#!/bin/sh
# paddlepaddle 3.3.1: nn.LSTM with proj_size gives its weights twice, as "1.cell.weight_ih" and as torch's "weight_ih_l1". The second names are dealt
# out four to a layer, though a layer with a projection has five arrays. So from the second layer or direction on they name other arrays: code
# that finds "the biases" by name, or carries the weights to torch by name, gets weights of another place, without an error in Paddle.
# Seen, 2 layers: weight_ih_l1 is the projection of layer 0, weight_hh_l1 is weight_ih of layer 1, bias_ih_l1 is weight_hh, bias_hh_l1 is bias_ih.
# The layer itself computes rightly, and the names "1.cell..." are right. Without proj_size both are.
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check paddlepaddle==3.3.1
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import paddle

for size, right in ((0, True), (2, False)):
    layer = paddle.nn.LSTM(3, 5, num_layers=2, proj_size=size)
    arrays = layer.state_dict()
    named = {name: next(other for other in arrays if "cell" in other and arrays[other] is arrays[name]) for name in arrays if "cell" not in name}
    print(paddle.__version__, "proj_size", size, {name: other for name, other in named.items() if name.endswith("_l1")})
    expected = all(other == f"{name[-1]}.cell.{name[:-3]}" for name, other in named.items())
    assert expected == right, "the behaviour has changed"
    if size:
        assert named["weight_ih_l1"] == "0.cell.weight_ho" and named["bias_ih_l1"] == "1.cell.weight_hh", "the behaviour has changed"
PYTHON
