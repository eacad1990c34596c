"""A script: models written by one process and run by another, which has only imported byhand.

python leaving_models.py write FOLDER makes them, each before its layer has ever run; python leaving_models.py read FOLDER runs them,
prints a line a file, and is told by no layer what the cells are.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import byhand
from byhand import Cell, cells


def step(x: Any, u: Any, s: Any, p: Any) -> Any:
    h = torch.tanh(x.a + u.a) * 0.5 + s.h
    return (h,), {"h": h}


OWN = Cell(name="mine", gates=("a",), state=("h",), step=step)
MODELS = {
    "lstm": {"cell": cells.lstm, "num_layers": 2, "bidirectional": True},
    "gru": {"cell": cells.gru},
    "peephole": {"cell": cells.peephole},
    "made": {"cell": cells.zoneout(cells.no_forget_gate(cells.lstm), h=0.1)},
    "own": {"cell": OWN},
}
SIZES = {0: torch.export.Dim("time"), 1: torch.export.Dim("batch")}


class Last(nn.Module):
    """The last output of a layer, through a head."""

    def __init__(self, name: str) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = byhand.LSTM(3, 4, **MODELS[name])
        self.head = nn.Linear(8 if name == "lstm" else 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0][-1])


def other() -> Tensor:
    """Of another length and batch than what was exported."""
    return torch.randn(9, 4, 3, generator=torch.Generator().manual_seed(2))


def write(folder: Path) -> None:
    layer, x = byhand.LSTM(3, 4), torch.randn(5, 2, 3)
    with byhand.record(layer) as trace:  # before torch.compile is loaded
        assert torch.allclose(torch.compile(layer, backend="eager")(x)[0], trace["l0.h"])
    for name in MODELS:
        model, x = Last(name).eval(), torch.randn(5, 2, 3)
        torch.export.save(torch.export.export(model, (x,), dynamic_shapes=(SIZES,)), folder / f"{name}.pt2")
        torch.jit.trace(Last(name).eval(), (x,), check_trace=False).save(folder / f"{name}.pt")
        if name == "lstm":
            with warnings.catch_warnings():
                warnings.simplefilter("error", torch.jit.TracerWarning)  # type: ignore[attr-defined]
                torch.jit.trace(Last(name).eval(), (x,), check_trace=False)
        torch.save(model(other()), folder / f"{name}.expected")
    model = Last("peephole").eval()
    with torch.no_grad():
        program = torch.export.export(model, (torch.randn(5, 2, 3),), dynamic_shapes=(SIZES,))
        torch._inductor.aoti_compile_and_package(program, package_path=str(folder / "peephole.aoti.pt2"))


def read(folder: Path) -> None:
    for file in sorted(folder.glob("*.pt*")):
        name = file.name.split(".")[0]
        try:
            if ".aoti." in file.name:
                model: Any = torch._inductor.aoti_load_package(str(file))
            else:
                model = torch.jit.load(file) if file.suffix == ".pt" else torch.export.load(file).module()
            found = model(other())
        except Exception as problem:  # noqa: BLE001 (what is said is what is tested)
            print(f"{file.name}: {' '.join(str(problem).split())}")
            continue
        close = torch.allclose(found, torch.load(folder / f"{name}.expected"), rtol=1e-5, atol=1e-6)
        print(f"{file.name}: {'right' if close else 'wrong'}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    (write if sys.argv[1] == "write" else read)(Path(sys.argv[2]))
