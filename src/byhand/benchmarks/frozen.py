"""Frozen layers: weights packed once, in three number types, against the layer, OpenVINO, and ONNX Runtime in float32 and int8."""

from copy import deepcopy
from functools import partial

import torch

import byhand
from byhand.benchmarks.cases import Case
from byhand.benchmarks.compilers import onnx_runtime, openvino
from byhand.benchmarks.contenders import Contender, Work, chosen, contender, ready, twins


def frozen(case: Case, asked: str | None) -> Work:
    """Inference only. In low precision nobody may be twice as far from float32 as torch in bfloat16, or ONNX Runtime in int8."""
    theirs, ours, given = twins(case)
    x = given.x.detach() if isinstance(given.x, torch.Tensor) else given.x
    given, notes = given._replace(x=x), []
    first = inference(contender("nn.LSTM", theirs, given))
    engine = ready(ours, x, asked)
    low = deepcopy(theirs).bfloat16()
    torchs = inference(contender("nn.LSTM bfloat16", low, given._replace(x=x.bfloat16())))._replace(truth=None)  # type: ignore[union-attr]
    made = [
        first,
        torchs,
        inference(contender("byhand", ours, given, engine=engine, around=chosen(asked), truth=first)),
        inference(contender("frozen", byhand.frozen(ours), given, truth=first)),
        inference(contender("frozen bfloat16", byhand.frozen(ours, "bfloat16"), given, truth=first, yardstick=torchs)),
    ]
    others = {
        "OpenVINO": openvino,
        "ONNX Runtime": onnx_runtime,
        "ONNX Runtime int8": partial(onnx_runtime, int8=True),
    }
    for name, make in others.items():
        found = make(theirs, given)
        if isinstance(found, str):
            notes.append(f"{name}: {found}")
        else:
            made.append(found._replace(name=name, truth=None if "int8" in name else first))
    if made[-1].name == "ONNX Runtime int8":
        made.append(inference(contender("frozen int8", byhand.frozen(ours, "int8"), given, truth=first, yardstick=made[-1])))
    else:
        notes.append("frozen int8: not measured without ONNX Runtime, whose error it is held against")
    return Work([one._replace(operations=first.operations) for one in made], notes)


def inference(one: Contender) -> Contender:
    return one._replace(calls={"forward": one.calls["forward"]})
