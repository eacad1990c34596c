"""docs/deploy.md: every block of it, in order; and its service under load."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

from benchmarks import serving


def test_every_block_but_the_service(tmp_path: Path) -> None:
    first, _, *others = serving.blocks()
    assert len(others) == 4
    script = "\n".join([first, *others])
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "equal within 1e-06" in ran.stdout
    assert {one.name for one in tmp_path.iterdir()} >= {"layer.onnx", "model.pt", "model.pt2", "predict.h"}


def test_no_memory_is_mixed_up_under_load() -> None:
    played = serving.load_test(sessions=40, steps=10, at_once=16)
    assert len(played.latencies) == 400
    assert played.mixed == 0 and played.worst < serving.TOLERANCE


def test_the_load_test_sees_a_service_that_mixes_memories_up(monkeypatch: pytest.MonkeyPatch) -> None:
    model, service, *_ = serving.blocks()
    mixed = service.replace("memories[session] = stepper.state", "memories[next(iter(memories))] = stepper.state")
    assert mixed != service
    monkeypatch.setattr(serving, "blocks", lambda: [model, mixed])
    assert serving.load_test(sessions=4, steps=4, at_once=4).mixed > 0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    folder, port = tmp_path_factory.mktemp("service"), serving.free_port()
    serving.write_service(folder)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    words = [sys.executable, "-m", "uvicorn", "service:app", "--port", str(port), "--log-level", "warning"]
    with subprocess.Popen(words, cwd=folder, env=environment) as server:
        serving.wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
        server.terminate()


def ask(address: str, body: object = None, method: str = "POST") -> tuple[int, dict]:
    """The status, and what was answered."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(body).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read() or "{}")
    except urllib.error.HTTPError as problem:
        return problem.code, json.loads(problem.read() or "{}")


def test_reset_end_and_what_is_refused(service: str) -> None:
    _, found = ask(f"{service}/sessions")
    here = f"{service}/sessions/{found['session']}"
    several = {"x": [[0.1, 0.2, 0.3], [1.0, 0.0, -1.0]]}
    status, once = ask(f"{here}/steps", several)
    assert status == 200 and len(once["y"]) == 2
    assert ask(f"{here}/steps", several)[1] != once  # the memory is kept
    assert ask(f"{here}/reset")[0] == 204
    assert ask(f"{here}/steps", several)[1] == once  # as at first
    assert ask(f"{here}/steps", {"x": [[1.0]]}) == (422, {"detail": "expected 3 numbers a step"})
    assert ask(f"{here}/steps", {"x": []}) == (200, {"y": []})
    assert ask(here, method="DELETE")[0] == 204
    status, answer = ask(f"{here}/steps", several)
    assert status == 404 and "POST /sessions begins one" in answer["detail"]
