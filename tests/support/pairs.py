"""One layer on two engines: outputs, last states and every gradient by name, side by side."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from cases import CASES, Shape, as_hx, as_tuple, layer, normal, starts
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from byhand import LSTM, cells, use_engine
from byhand.cells import Cell

Input = Tensor | PackedSequence
Named = dict[str, Tensor]

FORWARD, BACKWARD = 1e-12, 1e-11  # float64; the second as a share of the gradient's size where that is above 1
ELEMENTWISE = tuple(name for name, (cell, _) in CASES.items() if cell.elementwise)
# Whole kernels, five seconds each to compile, of one cell of each kind: what a cell has of its own are the lines of its programs, and
# test_printed_programs.py compiles and runs those of every cell in both number types.
LIKE_ANOTHER = {
    *(f"no_{part}({cell})" for part in ("input_gate", "forget_gate", "output_gate") for cell in ("lstm", "peephole")),
    *(f"no_{part}({cell})" for part in ("input_activation", "output_activation") for cell in ("lstm", "peephole")),
    *("lstm_1997_blocks(2)", "full_gate_recurrence(peephole)", "zoneout(gru)", "recurrent_dropout(lstm)"),
}
COMPILED = tuple(name for name in ELEMENTWISE if name not in LIKE_ANOTHER)
# In float32 those whose kernels differ by more than their lines: numbers of gates, states, sources; vectors, masks, truncation.
SINGLE = (
    *("lstm", "peephole", "cifg", "gru", "slstm", "min_lstm", "rnn", "lstm_1997"),
    *("full_gate_recurrence(lstm)", "zoneout(lstm)"),
)
FOUR: dict[str, Cell] = {cell.name: cell for cell in (cells.lstm, cells.gru, cells.peephole, cells.min_lstm)}


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch's number of threads, for as long as the block lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def fitting(name: str, shape: Shape) -> Shape:
    """With as many units more as the blocks of a cell want."""
    block = CASES[name][1].block
    return shape._replace(hidden=-(-shape.hidden // block) * block)


def example(name: str, shape: Shape, **options: Any) -> tuple[LSTM, Tensor, Any]:
    """A random float64 layer in training, its input (time, batch, input) and first states as the layer takes them. Large weight
    matrices are scaled down: what they would compute is chaos, in which the last digit of one step is the first of a later one.
    """
    cell, shape = CASES[name][0], fitting(name, shape)
    lstm = layer(cell, shape, **options).train()
    with torch.no_grad():
        for weight in lstm.parameters():
            weight.mul_(min(1.0, 1.5 / weight.shape[1] ** 0.5) if weight.dim() == 2 else 1.0)
    states = starts(cell, shape, len(lstm.sublayers))
    if lstm.proj_size:
        states = (states[0][..., : lstm.proj_size].clone(), *states[1:])
    return lstm, normal(shape.time, shape.batch, shape.input), as_hx(states)


def packed(x: Tensor, lengths: list[int]) -> PackedSequence:
    return pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=lengths == sorted(lengths, reverse=True))


def run(lstm: nn.Module, input: Input, hx: Any = None, only: Collection[str] | None = None) -> tuple[Named, Named]:
    """What comes out, and what gradients are asked for, both by name. only: of these names; of all if not given."""
    inner = (input.data if isinstance(input, PackedSequence) else input).detach()
    given = input._replace(data=inner) if isinstance(input, PackedSequence) else inner
    first = () if hx is None else tuple(one.detach() for one in as_tuple(hx))
    named = {"input": inner} | {f"first {k}": one for k, one in enumerate(first)} | dict(lstm.named_parameters())
    for name, value in named.items():
        value.requires_grad_(only is None or name in only)
    output, last = lstm(given) if hx is None else lstm(given, as_hx(first))
    results = {"output": output.data if isinstance(output, PackedSequence) else output}
    results |= {f"last {index}": value for index, value in enumerate(as_tuple(last))}
    return results, {name: value for name, value in named.items() if value.requires_grad}


def weighed(results: Named, skip: Collection[str] = ()) -> Tensor:
    """One number out of all results but some; always the same for the same shapes."""
    generator = torch.Generator().manual_seed(3)
    weights = {name: torch.randn(value.shape, generator=generator, dtype=torch.float64) for name, value in results.items()}
    return torch.stack([(value * weights[name].to(value)).sum() for name, value in results.items() if name not in skip]).sum()


def answers(
    lstm: nn.Module, input: Input, hx: Any = None, *, skip: Collection[str] = (), only: Collection[str] | None = None
) -> Named:
    """Results, and gradients of their weighed sum. skip: results that the sum has no part of. only: as for run."""
    results, wanted = run(lstm, input, hx, only)
    grads = torch.autograd.grad(weighed(results, skip), list(wanted.values()), materialize_grads=True)
    return {name: value.detach() for name, value in results.items()} | {
        f"grad {name}": grad for name, grad in zip(wanted, grads, strict=True)
    }


def on(engine: str, *arguments: Any, **options: Any) -> Named:
    """The answers on the engine of that name, with the same masks each time. The reference needs no more than one thread."""
    torch.manual_seed(4)
    with use_engine(engine), threads(1 if engine == "reference" else torch.get_num_threads()):
        return answers(*arguments, **options)


def assert_close(found: Named, wanted: Named, forward: float = FORWARD, backward: float = BACKWARD) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].shape == value.shape, name
        error = (found[name] - value).abs()
        error = error / value.abs().clamp(min=1) if name.startswith("grad") else error
        worst = error.max().item() if error.numel() else 0.0
        assert worst <= (backward if name.startswith("grad") else forward), f"{name}: {worst:.2e}"


def assert_engines_agree(*arguments: Any, **options: Any) -> None:
    assert_close(on("cpp", *arguments, **options), on("reference", *arguments, **options))


def assert_equal(found: Named, wanted: Named) -> None:
    """To the bit, NaN where there is NaN."""
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, equal_nan=True, msg=lambda text, n=name: f"{n}: {text}")
