"""What several test files share."""

import io
import os
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import collector  # it comes first: see there
import lightning as L
import postgres
import pytest
import torch
from browser import chromium, open_page, pages  # noqa: F401 (fixtures)
from commands import folder, here, trained  # noqa: F401 (fixtures)

from byhand.engine import dispatch, reference
from byhand.engine.cpp import engine as cpp
from LSTM import LSTMbyHand

ROOT = Path(__file__).parent.parent
MANY = 500  # tests
COLOURS = ("green", "blue", "orange", "purple")  # the order of nn.LSTM's rows: i, f, g, o

# The twelve published numbers: weight of the short memory, weight of the input, bias.
PUBLISHED = {
    "blue": (2.70, 1.63, 1.62),
    "green": (2.00, 1.65, 0.62),
    "orange": (1.41, 0.94, -0.32),
    "purple": (4.38, -0.19, 0.59),
}


def with_numbers(numbers: dict[str, tuple[float, float, float]]) -> LSTMbyHand:
    """A float64 unit with these numbers."""
    model = LSTMbyHand().double()
    with torch.no_grad():
        for colour, values in numbers.items():
            for name, value in zip((f"w_{colour}1", f"w_{colour}2", f"b_{colour}1"), values, strict=True):
                model.get_parameter(name).fill_(value)
    return model


# Half a minute and more: they come first, lest the others wait for one of them at the end.
LONG = (
    "transformations",
    "project",
    "installed",
    "release",
    "explorer_page",
    "explorer_unit",
    "explorer_layer",
    "commands",
    "plots",
    "notebook",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONG)


def pytest_collection_finish() -> None:
    collector.resume()


def pytest_unconfigure() -> None:
    collector.end()


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a fifth of the time a test waits for a browser, a program, a database."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard() -> None:
    """By the programs that are started here, too: a shell that runs the tests in the background tells its children to ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Everything here is small; more threads only wait for each other where other programs run too."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _kernels(request: pytest.FixtureRequest) -> None:
    """Before many tests the kernels that they need, compiled by several processes."""
    if len(request.session.items) > MANY:
        import compile_kernels  # noqa: PLC0415 (it imports all cells, which few tests need)

        compile_kernels.compile_all()


@pytest.fixture(autouse=True)
def _reference_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that are not about an engine run on the one that is the specification, and wait for no compiler. What is recorded, edited
    and converted is held against the engine that runs by itself.
    """
    unit = ROOT / "tests" / "unit"
    if request.path.is_relative_to(unit) and request.path.relative_to(unit).parts[0] not in ("trace", "interop"):
        monkeypatch.setattr(dispatch, "ENGINES", (reference, cpp))  # the first that refuses nothing


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(20)


@pytest.fixture
def untrained() -> LSTMbyHand:
    L.seed_everything(42, verbose=False)
    return LSTMbyHand()


@pytest.fixture
def published() -> LSTMbyHand:
    return with_numbers(PUBLISHED)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project's own files, as a fresh clone would have them."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    copy = tmp_path / "clone"
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of a PostgreSQL."""
    if os.environ.get("BYHAND_POSTGRES") == "none":
        pytest.skip("BYHAND_POSTGRES=none")
    programs = postgres.programs()
    if not programs:
        pytest.skip("no PostgreSQL here: tools/postgres.sh")
    with postgres.server(programs) as address:
        yield address


def run_here(script: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What `python SCRIPT WORDS` does, in this process: it saves the seconds that imports take. For what does not hang on its start."""
    code, out, error = 0, io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(error):
        patch.chdir(cwd)
        patch.setattr(sys, "argv", [str(script), *words])
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as ended:
            if isinstance(ended.code, str):  # as Python does it
                print(ended.code, file=error)
            code = int(isinstance(ended.code, str) or ended.code or 0)
    return subprocess.CompletedProcess([str(script), *words], code, out.getvalue(), error.getvalue())


def run(*command: str, cwd: Path, env: dict[str, str] | None = None, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a command; `python` means the one that runs the tests."""
    words = [sys.executable if word == "python" else word for word in command]
    return subprocess.run(
        words, cwd=cwd, env=os.environ | (env or {}), capture_output=True, text=True, timeout=timeout, check=False
    )
