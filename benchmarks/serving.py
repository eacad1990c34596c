"""The service of docs/deploy.md under load, on this machine alone: is any memory mixed up, and how long does an answer take?

    python -m benchmarks.serving [--sessions 1000] [--steps 100] [--at-once 32]

Each session sends its own random sequence, a step a request; half of the sessions are reset in the middle. All run side by side. Every
answer is compared with the layer's own on the whole sequence, to 1e-5.

p50, p99    milliseconds from a request to its answer, as the client sees them.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import torch
from torch import Tensor, nn

import byhand

ROOT = Path(__file__).parents[1]
TOLERANCE = 1e-5
PATIENCE = 120  # seconds that the service may take to start


class Played(NamedTuple):
    """What a load test found: seconds of every step's request, seconds in all, answers that differ, the greatest difference."""

    latencies: list[float]
    seconds: float
    mixed: int
    worst: float


def blocks() -> list[str]:
    """The Python of the page: the model, the service, and the rest."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8"), re.DOTALL)


def write_service(folder: Path) -> tuple[byhand.LSTM, nn.Linear]:
    """The page's model and service, in this folder; gives the model."""
    model, service = blocks()[:2]
    (folder / "service.py").write_text(service, encoding="utf-8")
    subprocess.run([sys.executable, "-c", model], cwd=folder, check=True)
    lstm = byhand.LSTM.from_pretrained(folder / "model").eval()
    head = nn.Linear(lstm.hidden_size, 3)
    head.load_state_dict(torch.load(folder / "model" / "head.pt"))
    return lstm, head


def expected(lstm: byhand.LSTM, head: nn.Linear, x: Tensor, resets: Tensor) -> Tensor:
    """The outputs of whole sequences (steps, sessions, input), those of resets (sessions,) starting again in the middle."""
    again = torch.zeros(x.shape[:2], dtype=torch.bool)
    again[len(x) // 2] = resets
    with torch.inference_mode():
        return head(lstm(x, reset=again)[0])


async def play(address: str, x: Tensor, resets: Tensor, wanted: Tensor, at_once: int) -> Played:
    """All sessions side by side, with `at_once` requests under way."""
    latencies: list[float] = []
    answers = torch.full_like(wanted, torch.nan)
    room = asyncio.Semaphore(at_once)

    async def send(client: aiohttp.ClientSession, path: str, body: Any = None) -> Any:
        async with room:
            begin = time.perf_counter()
            async with client.post(f"{address}{path}", json=body) as answer:
                found = await answer.json() if answer.status != 204 else None
                if answer.status >= 400:
                    raise RuntimeError(f"{path}: {answer.status}: {found}")
            if path.endswith("/steps"):
                latencies.append(time.perf_counter() - begin)
            return found

    async def session(client: aiohttp.ClientSession, number: int) -> None:
        name = (await send(client, "/sessions"))["session"]
        for step in range(len(x)):
            if step == len(x) // 2 and resets[number]:
                await send(client, f"/sessions/{name}/reset")
            found = await send(client, f"/sessions/{name}/steps", {"x": [x[step, number].tolist()]})
            answers[step, number] = torch.tensor(found["y"][0])

    begin = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as client:
        await asyncio.gather(*(session(client, number) for number in range(x.shape[1])))
    apart = (answers - wanted).abs().nan_to_num(nan=torch.inf)
    return Played(latencies, time.perf_counter() - begin, int((apart > TOLERANCE).any(-1).sum()), apart.max().item())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Until the service answers. RuntimeError if it ends or does not."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the service did not start within {PATIENCE} seconds")


def load_test(sessions: int, steps: int, at_once: int) -> Played:
    """Start the service, play the sessions, stop it."""
    with tempfile.TemporaryDirectory() as place:
        folder, port = Path(place), free_port()
        lstm, head = write_service(folder)
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(steps, sessions, lstm.input_size, generator=generator)
        resets = torch.arange(sessions) % 2 == 1
        words = [sys.executable, "-m", "uvicorn", "service:app", "--port", str(port), "--log-level", "warning"]
        server = subprocess.Popen(words, cwd=folder)
        try:
            wait_for(port, server)
            wanted = expected(lstm, head, x, resets)
            return asyncio.run(play(f"http://127.0.0.1:{port}", x, resets, wanted, at_once))
        finally:
            server.terminate()
            server.wait()


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if an answer is not the session's own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=1000, help="default: 1000")
    parser.add_argument("--steps", type=int, default=100, help="of each session; default: 100")
    parser.add_argument("--at-once", type=int, default=32, help="requests under way; default: 32")
    options = parser.parse_args(arguments)
    print(f"{options.sessions} sessions x {options.steps} steps, {options.at_once} requests at once", flush=True)
    played = load_test(options.sessions, options.steps, options.at_once)
    cuts = statistics.quantiles(played.latencies, n=100)
    print(
        f"answers that are not the session's own: {played.mixed} of {len(played.latencies)}; greatest difference {played.worst:.1e}"
    )
    print(f"steps a second: {len(played.latencies) / played.seconds:,.0f}")
    print(f"p50 {1e3 * cuts[49]:.2f} ms, p99 {1e3 * cuts[98]:.2f} ms")
    return int(played.mixed > 0)


if __name__ == "__main__":
    sys.exit(main())
