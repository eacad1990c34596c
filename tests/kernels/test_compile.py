"""torch.compile and torch.export: one operator for a layer and direction, the same results, every length and batch."""

from typing import Any

import pytest
import torch

import byhand
from byhand import cells

LAYERS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"proj_size": 3},
    {"cell": cells.gru},
    {"cell": cells.peephole},
    {"dtype": torch.float64},
]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    torch._dynamo.reset()


def operators(graph: torch.fx.GraphModule) -> list[str]:
    return [str(node.target) for node in graph.graph.nodes if "byhand" in str(node.target)]


@pytest.mark.parametrize("options", LAYERS, ids=str)
def test_compiled_whole(options: dict[str, Any]) -> None:
    layer = byhand.LSTM(5, 7, **options)
    x = torch.randn(4, 3, 5, dtype=options.get("dtype"), requires_grad=True)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        assert torch.equal(compiled(x)[0], layer(x)[0])
    grads = [torch.autograd.grad(run(x)[0].sin().sum(), [x, *layer.parameters()]) for run in (compiled, layer)]
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # of torch's own making
def test_inductor() -> None:
    layer, x = byhand.LSTM(5, 7), torch.randn(4, 3, 5)
    model = torch.nn.Sequential(layer, Head())
    expected = model(x)
    torch.testing.assert_close(torch.compile(model, fullgraph=True)(x), expected)


class Head(torch.nn.Module):
    """The last output, squared."""

    def forward(self, given: Any) -> torch.Tensor:
        return given[0][-1] ** 2


@pytest.mark.parametrize("strict", [False, True])
def test_exported_for_every_length_and_batch(strict: bool) -> None:
    layer = byhand.LSTM(5, 7, 2, bidirectional=True)
    sizes = {"input": {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}}
    program = torch.export.export(layer, (torch.randn(4, 3, 5),), dynamic_shapes=sizes, strict=strict)
    assert len(operators(program.graph_module)) == 4
    for steps, batch in ((4, 3), (11, 2), (6, 5)):
        x = torch.randn(steps, batch, 5)
        torch.testing.assert_close(program.module()(x)[0], layer(x)[0])


def test_an_operator_is_what_it_says() -> None:
    """Torch's own check of an operator: schema, fake results, gradients under dispatch."""
    from byhand.engine.cpp.autograd import flatten  # noqa: PLC0415

    layer, x = byhand.LSTM(5, 7), torch.randn(4, 3, 5, requires_grad=True)
    call = layer.call(layer.sublayers[0], x, (torch.zeros(3, 7), torch.zeros(3, 7)), None)
    tensors = flatten(call)
    arguments = (*tensors[:6], list(tensors[6:]), None, None, "lstm", False, True)
    torch.library.opcheck(
        torch.ops.byhand.layer.default, arguments, test_utils=("test_schema", "test_faketensor", "test_autograd_registration")
    )


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
@pytest.mark.parametrize("cell", [cells.layernorm_lstm, cells.gru_reset_before], ids=repr)
def test_a_cell_that_no_kernel_can_run_is_unrolled(cell: cells.Cell) -> None:
    layer, x = byhand.LSTM(5, 7, cell=cell), torch.randn(4, 3, 5)
    torch.testing.assert_close(torch.compile(layer, fullgraph=True, backend="aot_eager")(x)[0], layer(x)[0])
