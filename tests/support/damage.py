"""Files with a bit flipped or an end missing, files that were forged, and what reading them takes in memory."""

import copy
import gc
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from conftest import ROOT
from torch import Tensor

from byhand import LSTM, Trace
from byhand.explorer.load.checkpoint import read as read_weights
from byhand.files.archive import read_archive
from byhand.nn.snapshots import Snapshots
from byhand.train.cli.resume import read_kept

EARLIER = ROOT / "tests" / "earlier"  # files as they were written before checkpoints were verified, and what is in them
EXPECTED = json.loads((EARLIER / "expected.json").read_text())
DATA = [
    "--data",
    "Adding",
    "--data.length",
    "4",
    "--data.batches",
    "2",
    "--data.sequences",
    "4",
]  # what fit.ckpt was trained on
STATUS = Path("/proc/self/status")
ROOM = 50_000_000  # bytes that reading may take beside twice the file


def copied(name: str) -> Path:
    """One of the earlier files, in the folder that one is in."""
    Path(name).write_bytes((EARLIER / name).read_bytes())
    return Path(name)


def kept(**settings: Any) -> dict[str, Any]:
    """What a checkpoint of byhand fit holds, with other settings."""
    content = copy.deepcopy(torch.load(EARLIER / "fit.ckpt", weights_only=True))
    content["hyper_parameters"] |= settings
    return content


def written(content: Any, name: str = "forged.ckpt") -> Path:
    torch.save(content, name)
    return Path(name)


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "archive": ("fit.ckpt", read_archive),
    "kept": ("fit.ckpt", lambda path: read_kept(str(path), None)),
    "weights": ("lesson.ckpt", read_weights),
    "trace": ("trace.new", lambda path: {site: run for site in ("l0",) for run in [Trace.load(path).run(site)]}),
    "snapshots": ("snapshots.new", Snapshots.load),
    "model": ("model.safetensors", lambda path: LSTM.from_pretrained(path.parent).state_dict()),
    "config": ("config.json", lambda path: LSTM.from_pretrained(path.parent).state_dict()),
}


def whole(name: str) -> Path:
    """The file, as byhand writes it now; of checkpoints nothing has changed."""
    if name == "trace.new":
        Trace.load(EARLIER / "trace.safetensors").save(name)
    elif name == "snapshots.new":
        Snapshots.load(EARLIER / "snapshots.safetensors").save(name)
    elif not (EARLIER / name).exists():
        for part in ("config.json", "model.safetensors"):
            Path(part).write_bytes((EARLIER / "model" / part).read_bytes())
    else:
        copied(name)
    return Path(name)


def damaged(good: bytes, count: int, seed: str) -> Iterator[bytes]:
    """`count` of them, in turn with a bit flipped and cut short by a byte or more; not to nothing."""
    rng = random.Random(seed)
    for number in range(count):
        at = rng.randrange(1, len(good))
        yield good[:at] if number % 2 else good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1 :]


def plain(content: Any) -> Any:
    """Equal for equal content, to the bit and the dtype."""
    if isinstance(content, Tensor):
        return str(content.dtype), tuple(content.shape), content.reshape(-1).view(torch.uint8).tolist()
    if isinstance(content, dict):
        return {name: plain(value) for name, value in content.items()}
    if isinstance(content, list | tuple | set):
        return [type(content).__name__, *map(plain, content)]
    return plain(vars(content)) if hasattr(content, "__dict__") else repr(content)


def outcomes(
    path: Path, good: bytes, read: Callable[[], Any], refused: type[Exception], *, count: int, seed: str
) -> tuple[int, int]:
    """How many damaged files are refused, and how many read as the whole one is (what nothing depends on was hit). Fails for other
    content and other errors. The file is whole afterwards.
    """
    expected, found = plain(read()), [0, 0]
    for content in damaged(good, count, seed):
        path.unlink()
        path.write_bytes(content)
        try:
            got = plain(read())
        except refused:
            found[0] += 1
        else:
            assert got == expected, f"number {found} reads otherwise: {len(content)} bytes of {len(good)}"
            found[1] += 1
    path.write_bytes(good)
    return found[0], found[1]


def peak(action: Callable[[], Any]) -> int:
    """How many bytes more than before are in memory at most while it runs, pages of mapped files among them."""
    gc.collect()  # what earlier models have left
    Path("/proc/self/clear_refs").write_text("5")  # the most so far is from now on what there is now
    before = most_in_memory()
    action()
    return most_in_memory() - before


def most_in_memory() -> int:
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return 1024 * int(fields["VmHWM"].split()[0])
