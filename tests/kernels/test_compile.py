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


def given(layer: byhand.LSTM, x: torch.Tensor) -> tuple[Any, ...]:
    """What the operator is given for the layer's first direction, but for whether it keeps what a derivative is made from."""
    from byhand.engine.cpp.autograd import flatten  # noqa: PLC0415

    width = layer.proj_size or layer.hidden_size
    states = tuple(torch.randn(x.shape[1], size, dtype=x.dtype) for size in (width, layer.hidden_size)[: len(layer.cell.state)])
    call = layer.call(layer.sublayers[0], x, states, None)
    tensors = flatten(call)
    return (*tensors[:6], list(tensors[6:]), None, None, layer.cell.name, False)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("options", [one for one in LAYERS if "num_layers" not in one], ids=str)
def test_an_operator_is_what_it_says(options: dict[str, Any], keep: bool) -> None:
    """Torch's own check of an operator: schema, fake results, gradients under dispatch."""
    x = torch.randn(4, 3, 5, dtype=options.get("dtype"), requires_grad=keep)
    arguments = (*given(byhand.LSTM(5, 7, **options).requires_grad_(keep), x), keep)
    torch.library.opcheck(
        torch.ops.byhand.layer.default, arguments, test_utils=("test_schema", "test_faketensor", "test_autograd_registration")
    )


@pytest.mark.parametrize("options", [{}, {"cell": cells.gru}, {"cell": cells.peephole}, {"dtype": torch.float64}], ids=str)
def test_a_prepared_operator_gives_what_another_does(options: dict[str, Any]) -> None:
    """To the bit, at every length and with other weights: beside tensors that are not contiguous, for which nothing is prepared."""
    from byhand.engine.cpp import operator_calls  # noqa: PLC0415

    operator, dtype = torch.ops.byhand.layer.default, options.get("dtype") or torch.float32
    for steps, batch, seed in ((4, 3, 0), (9, 3, 1), (4, 3, 2), (1, 2, 3)):
        torch.manual_seed(seed)
        layer, x = byhand.LSTM(5, 7, **options), torch.randn(steps, batch, 5, dtype=dtype, requires_grad=True)
        arguments = given(layer, x)
        spread = torch.stack([x, x], -1)[..., 0]
        assert operator_calls.prepared(arguments[9], (x, *arguments[1:6], *arguments[6]), reverse=False) is not None
        assert operator_calls.prepared(arguments[9], (spread, *arguments[1:6], *arguments[6]), reverse=False) is None
        wanted, found = operator(spread, *arguments[1:], True), operator(*arguments, True)
        parts = [one for one in (x, *arguments[1:6]) if one is not None]
        count = 1 + len(layer.cell.state)
        for which in (found[:1], found[:count], found[1:count]):
            others = [other for one, other in zip(found, wanted, strict=True) if any(one is each for each in which)]
            mine, theirs = (
                torch.autograd.grad(sum(one.sin().sum() for one in several), parts, retain_graph=True)  # type: ignore[arg-type]
                for several in (which, others)
            )
            assert all(map(torch.equal, mine, theirs))
        assert all(map(torch.equal, found, wanted))
        with torch.no_grad():
            plain = operator(*arguments, False)
            assert len(plain) == count and all(map(torch.equal, plain, wanted))


def test_operators_of_ever_new_shapes_are_forgotten() -> None:
    from byhand.engine.cpp import operator_calls  # noqa: PLC0415

    layer = byhand.LSTM(5, 7)
    for batch in range(1, operator_calls.MOST + 8):
        x = torch.randn(2, batch, 5)
        assert torch.ops.byhand.layer.default(*given(layer, x), False)[0].shape == (2, batch, 7)
    assert len(operator_calls._prepared) <= operator_calls.MOST


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
@pytest.mark.parametrize("cell", [cells.layernorm_lstm, cells.gru_reset_before], ids=repr)
def test_a_cell_that_no_kernel_can_run_is_unrolled(cell: cells.Cell) -> None:
    layer, x = byhand.LSTM(5, 7, cell=cell), torch.randn(4, 3, 5)
    torch.testing.assert_close(torch.compile(layer, fullgraph=True, backend="aot_eager")(x)[0], layer(x)[0])
