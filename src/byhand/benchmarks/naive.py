"""The best plain Python loop with the sums of torch.nn.LSTM: what byhand must not be slower than.

One input product for all steps with both biases in it; then, step by step, one recurrent product and the gates. It keeps nothing
that the result does not need, checks nothing, and knows no cell but this one.
"""

import torch
from torch import Tensor, nn, sigmoid, tanh
from torch.nn.functional import linear
from torch.nn.utils.rnn import PackedSequence


class NaiveLSTM(nn.Module):
    """Runs on the very parameters of a torch.nn.LSTM: zeros as first states, (time, batch, input) or, in one direction, packed."""

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        self.lstm = lstm

    def forward(self, x: Tensor | PackedSequence) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        """Outputs and last states, as torch.nn.LSTM gives them."""
        directions = 2 if self.lstm.bidirectional else 1
        outputs, states = [], []
        for place, weights in enumerate(self.lstm.all_weights):
            if isinstance(x, PackedSequence):
                assert directions == 1
                output, *state = packed_layer(x, *weights)
            else:
                output, *state = layer(x, *weights, reverse=place % directions == 1)
            outputs.append(output)
            states.append(state)
            if len(outputs) == directions:
                x, outputs = outputs[0] if directions == 1 else torch.cat(outputs, -1), []
        h, c = zip(*states, strict=True)
        return x, (torch.stack(h), torch.stack(c))


def step(x: Tensor, h: Tensor, c: Tensor, u: Tensor, p: Tensor | None) -> tuple[Tensor, Tensor]:
    """x: W·x_t and both biases (batch, 4 hidden). u, p: the recurrent weight and the projection, transposed."""
    i, f, g, o = torch.addmm(x, h, u).chunk(4, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return h if p is None else h @ p, c


def layer(x: Tensor, w: Tensor, u: Tensor, b: Tensor, d: Tensor, p: Tensor | None = None, *, reverse: bool = False):
    steps = linear(x, w, b + d).unbind(0)
    h, c = first_states(x, x.shape[1], u)
    u, p = u.t(), None if p is None else p.t()
    outputs = []
    for inputs in reversed(steps) if reverse else steps:
        h, c = step(inputs, h, c, u, p)
        outputs.append(h)
    return torch.stack(outputs[::-1] if reverse else outputs), h, c


def packed_layer(x: PackedSequence, w: Tensor, u: Tensor, b: Tensor, d: Tensor, p: Tensor | None = None):
    """Each step computes only the sequences that still run: the first ones, for they are sorted by length."""
    sizes = x.batch_sizes.tolist()
    h, c = first_states(x.data, sizes[0], u)
    u, p = u.t(), None if p is None else p.t()
    outputs, ended = [], []
    for inputs, size in zip(linear(x.data, w, b + d).split(sizes), sizes, strict=True):
        if size < len(h):
            ended.append((h[size:], c[size:]))
            h, c = h[:size], c[:size]
        h, c = step(inputs, h, c, u, p)
        outputs.append(h)
    last_h, last_c = zip(*reversed([*ended, (h, c)]), strict=True)
    return x._replace(data=torch.cat(outputs)), torch.cat(last_h), torch.cat(last_c)


def first_states(like: Tensor, batch: int, u: Tensor) -> tuple[Tensor, Tensor]:
    return like.new_zeros(batch, u.shape[1]), like.new_zeros(batch, u.shape[0] // 4)
