"""What the tests of studies share: a small study as a file, run in this process or in others."""

import copy
import json
import time
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy
import yaml

from byhand.study import Study, load
from byhand.study.queue import Queue
from byhand.study.worker import work

SMALL: dict[str, Any] = {
    "name": "small",
    "tasks": {"adding": {"class_path": "Adding", "init_args": {"length": 4, "batch_size": 4, "batches": 5, "sequences": 16}}},
    "variants": {"lstm": {"cell": "lstm"}, "no forget gate": {"cell": "no_forget_gate(lstm)"}},
    "model": {"hidden_size": 2, "learning_rate": 0.02},
    "training": {"max_steps": 5},
    "seeds": 3,
    "base": "lstm",
    "metric": "test_mse",
    "goal": "minimise",
}
OWN = ("seconds", "host", "torch", "threads", "key")  # of a record, what the result is not


def write(folder: Path, **changes: Any) -> Path:
    """The small study, changed, as a file; None takes a key out."""
    content = copy.deepcopy(SMALL) | changes
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({key: one for key, one in content.items() if one is not None}, sort_keys=False))
    return path


def made(folder: Path, **changes: Any) -> Study:
    return load(write(folder, **changes), folder=folder / "kept")


def on(task: str, notes: Path, **changes: Any) -> dict[str, Any]:
    """Changes to the small study: another task, one of study_tasks."""
    return {"tasks": {"adding": {"class_path": f"study_tasks.{task}", "init_args": {"notes": str(notes)}}}, **changes}


def pretended(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a run might have come to, always the same for the same configuration."""
    words = json.dumps(config, sort_keys=True).encode()
    test, val = (zlib.crc32(words, start) / 2**32 for start in (0, 1))
    return {"metrics": {"test_mse": test, "val_mse": val}, "steps": 5, "seconds": 0.1}


def fill(study: Study, *, retries: int = 0) -> int:
    queue = study._open()
    run_states = queue.run_states()
    return queue.fill(study.plan.runs(run_states), run_states, retries=retries)


def run_here(study: Study, *, retries: int = 0) -> Study:
    """All runs, in this process."""
    fill(study, retries=retries)
    work(study.plan, study._open(), lambda seconds: bool(time.sleep(seconds / 20)))
    return study


def results(study: Study) -> list[dict[str, Any]]:
    """The table, without what may differ from run to run."""
    return [{name: one for name, one in row.items() if name not in OWN} for row in study.table()]


def states(study: Study) -> Counter[str]:
    return Counter(trial.state.name for trial in study._open().study.get_trials(deepcopy=False))


def silence(queue: Queue, hours: int = 1) -> None:
    """As if nothing had been heard for so long; as if the clock had been set back, if less than 0."""
    earlier = (
        f"datetime(heartbeat, '{-hours:+} hours')" if "sqlite" in queue.storage.url else f"heartbeat - interval '{hours} hours'"
    )
    with queue.storage.engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"UPDATE trial_heartbeats SET heartbeat = {earlier}"))
