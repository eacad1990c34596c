"""What stands in a file beside its nodes: names of the free axes of its outputs, and metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from byhand.interop.onnx_out.nodes import load
from byhand.interop.parity import versions_of
from byhand.interop.probing import plain_class

if TYPE_CHECKING:
    from byhand.interop.onnx_out.layer import Layer
    from byhand.interop.parity import ParityReport


def in_words(layer: Layer) -> str:
    """A layer's line in the report."""
    name = layer.path or plain_class(layer.module).__name__
    return f"{name}: cell {layer.config.cell.name}, as {' and '.join(sorted(layer.forms))}"


def name_axes(model: Any, tried: list[dict[str, int]], shapes: list[dict[str, tuple[int, ...]]]) -> None:
    """Give the outputs' free axes the names of those that they were as large as at every size of the check; the others no name, but
    their size where ONNX itself infers it.
    """
    inferred = load("onnx").shape_inference.infer_shapes(model).graph.output
    for output, known in zip(model.graph.output, inferred, strict=True):
        dimensions = zip(output.type.tensor_type.shape.dim, known.type.tensor_type.shape.dim, strict=True)
        for axis, (dimension, other) in enumerate(dimensions):
            seen = [shape[output.name][axis] for shape in shapes]
            fits = [name for name in tried[0] if all(one[name] == size for one, size in zip(tried, seen, strict=True))]
            if fits and len(set(seen)) > 1:
                dimension.dim_param = fits[0]
            elif dimension.HasField("dim_param"):
                dimension.Clear()
                if other.HasField("dim_value"):
                    dimension.dim_value = other.dim_value


def note(model: Any, layers: list[Layer], report: ParityReport) -> None:
    """Write into the file's metadata what it was made from and how it was checked."""
    cells = {layer.path: {"cell": layer.config.cell.name, "form": sorted(layer.forms)} for layer in layers}
    words = {
        "byhand.version": versions_of()["byhand"],
        "byhand.cells": json.dumps(cells),
        "byhand.certificate": report.to_json(),
    }
    for key, value in words.items():
        model.metadata_props.add(key=key, value=value)
