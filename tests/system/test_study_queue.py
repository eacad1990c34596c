"""The queue of a study: every run once, none lost, on SQLite and on PostgreSQL."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from optuna.trial import TrialState
from studies import fill, made, pretended, run_here, silence, states

from byhand.study import Study, worker
from byhand.study.database import connect
from byhand.study.queue import Queue
from byhand.study.run_state import MOST_LOSSES
from byhand.study.seal import ENDED, seal_of_result

Make = Callable[..., Study]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes the small study, its queue in an SQLite file; nothing is trained, the queue is what is looked at."""
    monkeypatch.setattr(worker, "perform", pretended)
    return lambda **changes: made(tmp_path, **changes)


@pytest.fixture(params=["sqlite", "postgresql"])
def make_on(request: pytest.FixtureRequest, make: Make) -> Make:
    """The same, on each kind of database, for what depends on how it locks and tells the time."""
    if request.param == "sqlite":
        return make
    storage, name = request.getfixturevalue("database"), request.node.originalname
    return lambda **changes: make(**{"name": name, "storage": storage} | changes)


def another(study: Study) -> Queue:
    """The same queue as another process sees it."""
    study._open()
    return Queue(connect(study.url, study.specification.lost_after), study.specification.name)


def keys(study: Study) -> list[str]:
    return [run.key for run in study.plan.runs(study._run_states())]


def at_once(*actions: Callable[[], None]) -> None:
    """In threads that start together."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], None]) -> None:
        barrier.wait()
        action()

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def dying_after(action: Callable[..., object]) -> Callable[..., None]:
    def run(*arguments: object, **options: object) -> None:
        action(*arguments, **options)
        raise KeyboardInterrupt

    return run


@contextmanager
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(worker, "perform", lambda config: pytest.fail("a run was done"))
        yield


def test_every_run_is_done_once_and_never_again(make_on: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    study = run_here(make_on())
    assert states(study) == {"COMPLETE": 6}
    assert [(row["variant"], row["seed"]) for row in study.table()] == [
        (variant, seed) for variant in study.specification.variants for seed in range(3)
    ]
    with nothing_runs(monkeypatch):
        assert run_here(make_on()).status().complete
    assert states(study) == {"COMPLETE": 6}


def test_workers_that_claim_at_once_get_different_cells(make_on: Make) -> None:
    study = make_on(seeds=8)
    fill(study)
    wanted, claimed = keys(study), list[str]()
    queues = [another(study) for _ in range(4)]

    def take(queue: Queue) -> None:
        while (claim := queue.claim(wanted)) is not None:
            claimed.append(claim.key)

    at_once(*(lambda queue=queue: take(queue) for queue in queues))
    assert sorted(claimed) == sorted(wanted)
    assert states(study) == {"RUNNING": 16}


def test_a_run_queued_twice_is_done_once(make_on: Make) -> None:
    study = make_on()
    queues = [another(study) for _ in range(3)]
    runs = study.plan.runs({})

    def put(queue: Queue) -> None:
        queue.fill(runs, {})  # none of them knows of the others

    at_once(*(lambda queue=queue: put(queue) for queue in queues))
    assert states(study) == {"WAITING": 18}
    first = study._open().claim(keys(study))
    assert first is not None
    assert all(queue.claim([first.key]) is None for queue in queues)  # while the first one runs
    worker.run(first, study.specification.tasks["adding"], searched=False)
    assert all(queue.claim([first.key]) is None for queue in queues)  # when it is done
    run_here(study)
    assert states(study) == {"COMPLETE": 6, "PRUNED": 12}
    assert len(study.table()) == 6 and study.status().total == {"done": 6}


def test_a_result_there_twice_counts_once(make: Make) -> None:
    study = run_here(make())
    before = study.table()
    queue = study._open()
    run = study.plan.runs({})[0]
    queue.fill([run], {})
    (extra,) = queue.study.get_trials(states=(TrialState.WAITING,))
    queue.storage.set_trial_state_values(extra._trial_id, TrialState.RUNNING)
    result = {"metrics": {"test_mse": 1e6}, "steps": 0, "seconds": 0}
    queue.storage.set_trial_user_attr(extra._trial_id, "result", result)
    queue.storage.set_trial_user_attr(extra._trial_id, ENDED, seal_of_result(run.key, result))
    queue.storage.set_trial_state_values(extra._trial_id, TrialState.COMPLETE, [1e6])
    assert study.table() == before and study.status().total["done"] == 6


def test_a_lost_run_is_done_by_another_and_the_lost_workers_result_refused(make_on: Make) -> None:
    study = make_on(seeds=1, variants={"lstm": {"cell": "lstm"}})
    fill(study)
    sleeper, other = another(study), another(study)
    claim = sleeper.claim(keys(study))
    assert claim is not None and other.claim(keys(study)) is None
    other.recover()
    assert states(study) == {"RUNNING": 1}  # it was alive a moment ago
    silence(other)
    run_here(study)
    assert states(study) == {"FAIL": 1, "COMPLETE": 1}
    before = study.table()
    assert not claim.finish({"metrics": {}, "steps": 0, "seconds": 0.0}, 0.0) and not claim.fail("late", "")
    assert study.table() == before and len(before) == 1


def test_signs_of_life_keep_a_cell(make_on: Make) -> None:
    study = make_on(lost_after=2)  # and so a sign a second
    fill(study)
    queue = study._open()
    claim = queue.claim(keys(study))
    assert claim is not None
    silence(queue)
    with claim.alive():
        time.sleep(1.6)
        queue.recover()
        assert states(study)["RUNNING"] == 1
    silence(queue)
    queue.recover()
    assert states(study)["RUNNING"] == 0


def test_a_worker_lost_between_two_steps_of_claiming_holds_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make()
    fill(study)
    queue = another(study)
    for step in ("record_heartbeat", "set_trial_state_values", "set_trial_user_attr"):
        with monkeypatch.context() as patch:
            patch.setattr(queue.storage, step, dying_after(getattr(queue.storage, step)))
            with pytest.raises(KeyboardInterrupt):
                queue.claim(keys(study))
    silence(queue)
    assert run_here(study).status().complete


def test_a_run_that_takes_its_workers_along_is_given_up_in_the_end(make: Make) -> None:
    study = make(seeds=1, variants={"lstm": {"cell": "lstm"}}, retries=1)
    queue = study._open()
    for round in (1, 2):
        fill(study, retries=1)
        for _ in range(MOST_LOSSES):
            assert fill(study) == 0 and queue.claim(keys(study)) is not None
            queue.release(queue.worker, lost=True)
            fill(study)
        ((_, message, times),) = study.status().failed
        assert "took its worker with it" in message and times == round
    assert fill(study, retries=1) == 0


def test_what_was_dropped_on_purpose_is_no_loss(make: Make) -> None:
    study = make()
    fill(study)
    queue = study._open()
    for _ in range(MOST_LOSSES + 1):
        assert queue.claim(keys(study)[:1]) is not None
        queue.release(queue.worker, lost=False)
        assert fill(study) == 1
    assert run_here(study).status().complete


def test_a_changed_configuration_is_a_new_run_and_the_old_stays(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_here(make())
    before = first.table()
    changed = make(model={"hidden_size": 3, "learning_rate": 0.02})
    assert changed.status().total == {"waiting": 6} and changed.status().others == 6
    run_here(changed)
    assert not {row["key"] for row in changed.table()} & {row["key"] for row in before}
    assert first.table() == before
    with nothing_runs(monkeypatch):
        more = run_here(make(seeds=[2, 0], variants={"forgetful": {"cell": "no_forget_gate(lstm)", "dropout": 0}}, base=None))
    assert [row["test_mse"] for row in more.table()] == [before[5]["test_mse"], before[3]["test_mse"]]


def test_cells_of_an_earlier_configuration_wait_until_it_comes_back(make: Make) -> None:
    study = make()
    fill(study)
    changed = run_here(make(training={"max_steps": 6}))
    assert states(study) == {"WAITING": 6, "COMPLETE": 6} and len(changed.table()) == 6 and study.table() == []
    assert len(run_here(study).table()) == 6


@pytest.mark.usefixtures("database")
def test_the_address_may_leave_the_driver_out_and_two_studies_share_a_database(database: str, tmp_path: Path) -> None:
    one, other = (made(tmp_path / name, name=name, storage=database) for name in ("one", "other"))
    run_here(one)
    assert one.url.drivername == "postgresql+psycopg"
    assert other.status().total == {"waiting": 6} and other.status().others == 0


def test_clocks_of_other_zones_make_no_worker_look_lost(make: Make, database: str) -> None:
    study = make(name="zones", storage=database)
    fill(study)
    queue = study._open()
    assert queue.claim(keys(study)) is not None
    with psycopg.connect(database) as connection:
        connection.execute("ALTER ROLE byhand SET timezone = 'Pacific/Kiritimati'")  # five hours ahead
    try:
        queue.recover()
        assert states(study)["RUNNING"] == 1
    finally:
        with psycopg.connect(database) as connection:
            connection.execute("ALTER ROLE byhand RESET timezone")
