"""An ONNX file, read safely: sizes are checked before anything is made of them, and numbers in other files lie in the file's own folder."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from byhand.errors import LoadError
from byhand.files.regular_file import open_regular, read_regular
from byhand.interop.onnx_in.runtime import MODEL_BYTES, first_line, onnx

EXPECTED = "expected an ONNX model"
DEEPEST = 40  # subgraphs inside subgraphs
FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")


def read_model(file: str | os.PathLike[str], most: int = MODEL_BYTES) -> Any:
    """The model that a file holds, checked, with all its numbers inside; no code runs.

    Args:
        file: of the model.
        most: bytes of file and external data together.

    Raises:
        LoadError: a file that is missing, larger, damaged, or no ONNX model; or that names data outside its folder.
        ModuleNotFoundError: onnx is not installed.
    """
    package, path = onnx(), Path(file)
    try:
        data = read_regular(path, most)
    except OSError as problem:
        raise LoadError(f"{path}: {EXPECTED}, got nothing that can be read: {problem.strerror or problem}") from problem
    model = package.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as problem:
        raise LoadError(f"{path}: {EXPECTED}, got a file that is none, or that is damaged ({first_line(problem)})") from problem
    if not model.HasField("graph") or not model.graph.node:
        raise LoadError(f"{path}: {EXPECTED}, got a file without a graph of operators")
    try:
        with_external(model, path.parent, most - len(data))
        for tensor in tensors_of(model):
            check_size(tensor)
        package.checker.check_model(with_shapes(model))
        return package.inliner.inline_local_functions(model) if model.functions else model
    except LoadError as problem:
        raise LoadError(f"{path}: {problem}") from problem
    except Exception as problem:
        raise LoadError(f"{path}: {EXPECTED}, got one that breaks its own rules ({first_line(problem)})") from problem


def with_shapes(model: Any) -> Any:
    """The model; a copy with empty shapes where inputs and outputs have none, which the checker refuses and onnxruntime runs."""
    if not any(map(lacks_shape, (*model.graph.input, *model.graph.output))):
        return model
    copy = type(model)()
    copy.CopyFrom(model)
    for value in filter(lacks_shape, (*copy.graph.input, *copy.graph.output)):
        value.type.tensor_type.shape.SetInParent()
    return copy


def lacks_shape(value: Any) -> bool:
    return value.type.WhichOneof("value") == "tensor_type" and not value.type.tensor_type.HasField("shape")


def graphs_of(model: Any) -> Iterator[Any]:
    """The main graph and all subgraphs, and every function, as what holds nodes. LoadError for graphs too deep in each other."""
    waiting = [(holder, 0) for holder in (model.graph, *model.functions)]
    while waiting:
        graph, depth = waiting.pop()
        if depth > DEEPEST:
            raise LoadError(f"{EXPECTED} with subgraphs in each other at most {DEEPEST} deep, got more")
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                inside = [attribute.g] if attribute.HasField("g") else []
                waiting += [(one, depth + 1) for one in (*inside, *attribute.graphs)]


def tensors_of(model: Any) -> Iterator[Any]:
    """Every tensor with numbers in a model: initializers and attributes, sparse ones in their parts."""
    for graph in graphs_of(model):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                for sparse in (
                    *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
                    *attribute.sparse_tensors,
                ):
                    yield from (sparse.values, sparse.indices)


def check_size(tensor: Any) -> None:
    """LoadError for a tensor that claims another number of elements than are there."""
    helper = onnx().helper
    count = math.prod(tensor.dims)
    if any(dimension < 0 for dimension in tensor.dims):
        raise LoadError(f"expected a tensor {tensor.name!r} with sizes from 0 on, got {list(tensor.dims)}")
    if tensor.data_type == onnx().TensorProto.STRING:
        there, wanted = len(tensor.string_data), count
    elif tensor.HasField("raw_data"):
        there, wanted = len(tensor.raw_data), packed_bytes(tensor.data_type, count)
    else:
        try:
            field = helper.tensor_dtype_to_field(tensor.data_type)
        except (KeyError, TypeError, ValueError) as problem:
            raise LoadError(f"expected a tensor {tensor.name!r} of a known type, got number {tensor.data_type}") from problem
        there, wanted = len(getattr(tensor, field)), stored_numbers(tensor.data_type, count)
    if there != wanted:
        raise LoadError(
            f"expected {wanted:,} numbers or bytes in tensor {tensor.name!r} of sizes {list(tensor.dims)}, got {there:,}"
        )


def packed_bytes(data_type: int, count: int) -> int:
    """Bytes of raw_data. LoadError for a type that has none."""
    name = onnx().TensorProto.DataType.Name(data_type) if data_type in onnx().TensorProto.DataType.values() else ""
    bits = {"UINT4": 4, "INT4": 4, "FLOAT4E2M1": 4, "UINT2": 2, "INT2": 2}.get(name)
    if bits is None:
        try:
            bits = 8 * onnx().helper.tensor_dtype_to_np_dtype(data_type).itemsize
        except (KeyError, TypeError, ValueError) as problem:
            raise LoadError(f"expected a tensor of a known type, got {name or data_type}") from problem
    return (count * bits + 7) // 8


def stored_numbers(data_type: int, count: int) -> int:
    """Entries of the typed fields: two a complex number, several small ones in one."""
    name = onnx().TensorProto.DataType.Name(data_type)
    if name.startswith("COMPLEX"):
        return 2 * count
    if name in ("UINT4", "INT4", "FLOAT4E2M1"):
        return (count + 1) // 2
    return (count + 3) // 4 if name in ("UINT2", "INT2") else count


def with_external(model: Any, folder: Path, most: int) -> None:
    """Put the numbers that lie in other files into the model. LoadError for other folders, for more than `most` bytes, and for files that
    are too short.
    """
    package = onnx()
    for tensor in tensors_of(model):
        if not package.external_data_helper.uses_external_data(tensor):
            continue
        named = {entry.key: entry.value for entry in tensor.external_data}
        wanted = packed_bytes(tensor.data_type, math.prod(tensor.dims)) if min(tensor.dims, default=0) >= 0 else -1
        try:
            offset, length = int(named.get("offset", 0)), int(named.get("length", wanted))
        except ValueError as problem:
            raise LoadError(f"expected numbers for offset and length of tensor {tensor.name!r}, got {named}") from problem
        most -= max(length, 0)
        if offset < 0 or length != wanted or most < 0:
            raise LoadError(
                f"expected {wanted:,} bytes of tensor {tensor.name!r}, which fit into memory, got {length:,} from byte {offset:,} on"
            )
        place = inside(folder, named.get("location", ""))
        try:
            with open_regular(place) as file:
                size = os.fstat(file.fileno()).st_size
                if offset + length > size:
                    raise LoadError(f"expected {offset + length:,} bytes in {place.name}, got {size:,}")
                file.seek(offset)
                tensor.raw_data = file.read(length)
        except OSError as problem:
            raise LoadError(
                f"expected the file {named.get('location')!r} beside it, got: {problem.strerror or problem}"
            ) from problem
        del tensor.external_data[:]
        tensor.data_location = package.TensorProto.DEFAULT


def inside(folder: Path, location: str) -> Path:
    """The file of external data. LoadError unless it lies in the model's folder, all links followed."""
    refused = LoadError(f"expected external data in the model's own folder, got {location!r}: put the file beside the model")
    if not location or "\0" in location or Path(location).is_absolute():
        raise refused
    try:
        home = folder.resolve()
        place = (home / location).resolve()
    except (OSError, RuntimeError) as problem:
        raise refused from problem
    if not place.is_relative_to(home):
        raise refused
    return place
