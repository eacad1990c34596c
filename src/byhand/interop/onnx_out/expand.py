"""A recorded model with its layers filled in: each of byhand's nodes becomes ONNX's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from byhand.interop.onnx_out.layer import Layer, Sequences, write_layer
from byhand.interop.onnx_out.nodes import Graph, Nodes, load
from byhand.interop.onnx_out.packing import INT64, Padded, rows, sizes_of, spread, unpacked
from byhand.interop.onnx_out.recorded import DOMAIN
from byhand.nn import LSTM

if TYPE_CHECKING:
    from torch import dtype


class Expansion:
    """Writes the nodes of a model again, in the model itself. layers: by the number of their nodes. dtype: of the numbers in packing."""

    def __init__(self, model: Any, layers: list[Layer], opset: int, dtype: dtype) -> None:
        self.model, self.layers, self.dtype = model, layers, dtype
        self.graph = Graph(opset, set(names_in(model.graph)))
        self.packed: dict[str, Padded] = {}  # what the rows of packed sequences stand for, by their name
        self.read = Counter(names_read(model.graph))
        self.made: list[Any] = []

    def run(self) -> None:
        """Every node, in order."""
        helper = load("onnx").helper
        kinds = {"Layer": self.layer, "Pack": self.pack, "Unpack": self.unpack}
        for node in self.model.graph.node:
            if node.domain != DOMAIN:
                self.made.append(node)
                continue
            options = {one.name: helper.get_attribute_value(one) for one in node.attribute}
            kinds[node.op_type](list(node.input), list(node.output), options)
        del self.model.graph.node[:]
        self.model.graph.node.extend(self.made)
        self.model.graph.initializer.extend(self.graph.initializers)
        opsets = [one for one in self.model.opset_import if one.domain != DOMAIN]
        del self.model.opset_import[:]
        self.model.opset_import.extend(opsets)

    def finish(self, n: Nodes, values: Mapping[str, str]) -> None:
        """Take the nodes over. values: a name that the recorded model has for a value -> the name in the nodes."""
        made_here = {name for node in n.made for name in node.output}
        names: dict[str, str] = {}
        for wanted, value in values.items():
            if value in made_here and value not in names:
                names[value] = wanted
            else:
                n.op("Identity", value)
                n.made[-1].output[0] = wanted
        for node in n.made:
            node.input[:] = [names.get(name, name) for name in node.input]
            node.output[:] = [names.get(name, name) for name in node.output]
        self.made += n.made

    def keep(self, n: Nodes, data: str, found: Padded) -> dict[str, str]:
        """Remember what packed rows stand for; the rows themselves, where one of ONNX's own nodes reads them."""
        self.packed[data] = found
        return {data: rows(n, found)} if self.read[data] else {}

    def pack(self, given: list[str], made: list[str], options: Mapping[str, Any]) -> None:
        """pack_padded_sequence, of sequences sorted by length."""
        n = Nodes("/pack", self.dtype, self.graph)
        (x, lengths), (data, sizes) = given, made
        padded = n.op("Transpose", x, perm=[1, 0, 2]) if options["batch_first"] else x
        self.finish(n, {sizes: sizes_of(n, lengths)} | self.keep(n, data, Padded(padded, lengths, sizes)))

    def unpack(self, given: list[str], made: list[str], options: Mapping[str, Any]) -> None:
        """pad_packed_sequence."""
        n = Nodes("/unpack", self.dtype, self.graph)
        (data, sizes, steps), (output, lengths) = given, made
        found = self.packed.get(data) or spread(n, data, sizes)
        padded = unpacked(n, found, steps, options["value"])
        self.finish(n, {output: n.op("Transpose", padded, perm=[1, 0, 2]) if options["batch_first"] else padded})
        last = Nodes("/unpack", self.dtype, self.graph)  # the lengths may have been written long before
        self.finish(last, {lengths: found.lengths})

    def layer(self, given: list[str], made: list[str], options: Mapping[str, Any]) -> None:
        """One call of a layer."""
        layer, count, further = self.layers[options["number"]], options["states"], options["last"].decode()
        layer.forms.add("Scan" if layer.operator is None or further == "reset" else layer.operator.kind)
        n = Nodes(f"/{layer.path or 'layer'}", layer.dtype, self.graph)
        x, states, rest = given[0], given[1 : 1 + count], given[1 + count :]
        if further == "packed":
            found = self.packed.get(x) or spread(n, x, rest[0])
            output, last = write_layer(n, layer, Sequences(found.padded, states or None, found.lengths))
            kept = self.keep(n, made[0], found._replace(padded=output))
            self.finish(n, kept | dict(zip(made[1:], last, strict=True)))
            return
        way = Layout.of(layer, options["rank"])
        start = [way.brought(n, one, states=True) for one in states]
        lengths = n.op("Cast", rest[0], to=INT64) if further == "lengths" else None
        reset = way.brought(n, rest[0], axes=2) if further == "reset" else None
        output, last = write_layer(n, layer, Sequences(way.brought(n, x), start or None, lengths, reset))
        found = [way.given_back(n, one, states=True) for one in last]
        if not way.single:
            found.insert(0, way.given_back(n, output))
        self.finish(n, dict(zip(made, found, strict=True)))


class Layout(NamedTuple):
    """How a layer takes its input. single: one step, of an LSTMCell."""

    single: bool
    batched: bool
    batch_first: bool

    @classmethod
    def of(cls, layer: Layer, rank: int) -> Layout:
        single = not isinstance(layer.module, LSTM)
        batched = rank == (2 if single else 3)
        return cls(single, batched, batched and not single and layer.config.batch_first)

    def brought(self, n: Nodes, value: str, *, states: bool = False, axes: int = 3) -> str:
        """Time first, with a batch. axes: how many it has then."""
        if not self.batched:
            value = n.unsqueeze(value, 0 if self.single else 1)
        if self.single:
            return n.unsqueeze(value, 0)
        return value if states else self.turned(n, value, axes)

    def given_back(self, n: Nodes, value: str, *, states: bool = False) -> str:
        """As the layer gives it."""
        if self.single:
            value = n.squeeze(value, 0)
        if not self.batched:
            return n.squeeze(value, 0 if self.single else 1)
        return value if states else self.turned(n, value)

    def turned(self, n: Nodes, value: str, axes: int = 3) -> str:
        return n.op("Transpose", value, perm=[1, 0, 2][:axes]) if self.batch_first else value


def graphs_in(graph: Any) -> Iterator[Any]:
    """The graph and those inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_in(attribute.g)


def names_in(graph: Any) -> Iterator[str]:
    """All names of values and nodes."""
    for one in graphs_in(graph):
        for part in (one.input, one.output, one.initializer, one.node):
            yield from (each.name for each in part)
        yield from (name for node in one.node for name in (*node.input, *node.output))


def names_read(graph: Any) -> Iterator[str]:
    """The values that ONNX's own nodes read, or the graph gives."""
    for one in graphs_in(graph):
        yield from (name for node in one.node if node.domain != DOMAIN for name in node.input)
        yield from (output.name for output in one.output)
