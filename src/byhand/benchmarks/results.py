"""The numbers: a row for each contender in each quantity of each case, what they depend on, and the file they are kept in."""

import csv
import os
import platform
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import torch

from byhand.benchmarks.contenders import Contender
from byhand.benchmarks.timing import Round


class Quantity(NamedTuple):
    """per_unit: how many seconds, or bytes, the unit is."""

    title: str
    unit: str = "ms"
    per_unit: float = 1e-3


QUANTITIES = {
    "forward": Quantity("inference"),
    "training": Quantity("training (forward, and all gradients)"),
    "memory": Quantity("memory of training", "kB", 1e3),
    "recording": Quantity("inference, recorded"),
    "off": Quantity("inference, not recorded"),
    "step": Quantity("one step of a layer, inference", "us", 1e-6),
    "cell": Quantity("one call of a cell, inference", "us", 1e-6),
}


class Row(NamedTuple):
    """faster: the baseline's time / the contender's, the median over rounds. gflops: 10⁹ operations a second, in its products.
    share: of the fastest product of the same precision in the same run, gemm_peak.
    """

    suite: str
    case: str
    quantity: str
    contender: str
    baseline: str
    engine: str
    precision: str
    unit: str
    rounds: int
    median: float
    least: float
    most: float
    faster: float
    gflops: float | None
    gemm_peak: float | None = None
    share: float | None = None


def rows(suite: str, case: str, quantity: str, contenders: Sequence[Contender], rounds: list[Round]) -> Iterator[Row]:
    """The first contender is the baseline."""
    _, unit, per_unit = QUANTITIES[quantity]
    baseline = contenders[0].name
    for contender in contenders if rounds else ():
        values = [taken[contender.name] / per_unit for taken in rounds]
        faster = statistics.median(taken[baseline] / taken[contender.name] for taken in rounds)
        spread = statistics.median(values), min(values), max(values)
        operations = contender.operations * (3 if quantity == "training" else 1)
        gflops = None if quantity == "memory" else operations / (spread[0] * per_unit) / 1e9
        names = quantity, contender.name, baseline, contender.engine, contender.precision, unit
        yield Row(suite, case, *names, len(rounds), *spread, faster, gflops)


def with_shares(taken: Sequence[Row], fastest: Mapping[str, float]) -> list[Row]:
    """fastest: precision -> operations a second."""

    def with_share(row: Row) -> Row:
        if row.gflops is None or row.precision not in fastest:
            return row
        peak = fastest[row.precision] / 1e9
        return row._replace(gemm_peak=peak, share=row.gflops / peak)

    return list(map(with_share, taken))


def facts(device: str = "cpu") -> dict[str, str]:
    """What the numbers depend on, as far as it has no name of its own."""
    made = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": processor(),
        "cores": str(os.cpu_count()),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": str(torch.get_num_threads()),
    }
    if device == "cuda":
        made |= {
            "gpu": torch.cuda.get_device_name(),
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),
        }
    return made


def processor(file: Path = Path("/proc/cpuinfo")) -> str:
    """As Linux names it, or as the platform does."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def write(path: Path, measured: Sequence[tuple[Mapping[str, str], Sequence[Row]]]) -> None:
    """measured: facts, and the rows that they hold for. Whole or not at all: into a file beside it, which then takes its name."""
    columns = list(dict.fromkeys(name for known, _ in measured for name in known))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow((*Row._fields, *columns))
            for known, taken in measured:
                stated = [known.get(column, "") for column in columns]
                writer.writerows((*(f"{x:.6g}" if isinstance(x, float) else x for x in row), *stated) for row in taken)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
