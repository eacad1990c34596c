"""What a study comes to: which runs it has, what it chooses, what it reports."""

import csv
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from studies import SMALL, fill, made, on, pretended, results, run_here

from byhand.study import StudyError, compare, worker
from byhand.study.search import Range, Search
from byhand.study.status import duration, view
from byhand.tasks import Adding
from byhand.train import train


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained."""
    monkeypatch.setattr(worker, "perform", pretended)


def test_results_are_those_of_train_and_depend_neither_on_order_nor_on_what_ran_before(tmp_path: Path) -> None:
    study, backwards = run_here(made(tmp_path / "one")), made(tmp_path / "other")
    backwards._open().fill(reversed(backwards.plan.runs({})), {})
    assert results(study) == results(run_here(backwards))
    assert [(row["variant"], row["seed"]) for row in results(study)] == [(v, s) for v in SMALL["variants"] for s in range(3)]
    task = Adding(**SMALL["tasks"]["adding"]["init_args"], seed=2)
    _, outcome = train(task, SMALL["model"] | {"cell": "no_forget_gate(lstm)"}, seed=2, max_steps=5)
    last = study.table()[-1]
    assert {name: last[name] for name in outcome.metrics} == outcome.metrics and last["steps"] == outcome.steps == 5
    assert last["settings"]["cell"] == "no_forget_gate(lstm)" and last["settings"]["num_layers"] == 1


def test_a_training_ends_where_stop_says(tmp_path: Path) -> None:
    study = run_here(made(tmp_path, training={"max_steps": 500, "stop": {"metric": "val_mse", "at_most": 1e6}}, seeds=1))
    assert [row["steps"] for row in study.table()] == [5, 5]


def test_failed_runs_are_told_of_and_retried_at_the_next_run_as_often_as_stated(tmp_path: Path) -> None:
    (tmp_path / "fail").touch()
    study = made(tmp_path, **on("Failing", tmp_path, retries=2, variants={"lstm": {"cell": "lstm"}}))
    for times in (1, 2, 3, 3):
        run_here(study, retries=2)
        now = study.status()
        assert now.total == {"done": 2, "failed": 1} and not now.complete
        assert now.failed == [("adding, lstm, seed 1", "RuntimeError: no batch for seed 1", times)]
    assert "failed 3 times: adding, lstm, seed 1" in text(view(now))
    study = made(tmp_path, **on("Failing", tmp_path, retries=3, variants={"lstm": {"cell": "lstm"}}))
    (tmp_path / "fail").unlink()
    assert run_here(study, retries=3).status().total == {"done": 3}


def test_a_training_too_short_for_the_metric_says_so(tmp_path: Path) -> None:
    study = run_here(made(tmp_path, metric="val_mse", training={"max_steps": 3}, seeds=1))
    assert {message for _, message, _ in study.status().failed} == {
        "ValueError: the training gave no val_mse: was it over before the first validation?"
    }


def text(shown: object) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


SEARCH = {"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}, "hidden_size": {"low": 2, "high": 9}, "trials": 4}


@pytest.mark.usefixtures("fast")
def test_search_tries_the_same_for_every_variant_and_goes_on_with_the_best_in_validation(tmp_path: Path) -> None:
    study = made(tmp_path, search=SEARCH, model=None)
    assert study.status().total == {"waiting": 2 * (4 + 3)}
    run_here(study)
    tried = study.table(search=True)
    values = {
        variant: [(row["learning_rate"], row["hidden_size"]) for row in tried if row["variant"] == variant]
        for variant in SMALL["variants"]
    }
    assert values["lstm"] == values["no forget gate"] and len(set(values["lstm"])) == 4
    assert all(1e-3 <= rate <= 1e-1 and 2 <= size <= 9 and isinstance(size, int) for rate, size in values["lstm"])
    for variant in SMALL["variants"]:
        best = min((row for row in tried if row["variant"] == variant), key=lambda row: row["val_mse"])
        chosen = [row for row in study.table() if row["variant"] == variant]
        assert [row["seed"] for row in chosen] == [0, 1, 2] and {row["seed"] for row in tried} == {1000}
        assert all(row["settings"]["learning_rate"] == row["learning_rate"] == best["learning_rate"] for row in chosen)
    assert study.status().complete
    most = run_here(made(tmp_path, search=SEARCH, model=None, goal="maximise"))
    assert {row["learning_rate"] for row in most.table() if row["variant"] == "lstm"} == {
        max(tried[:4], key=lambda row: row["val_mse"])["learning_rate"]
    }


@pytest.mark.usefixtures("fast")
def test_more_trials_of_a_search_keep_the_first(tmp_path: Path) -> None:
    few, many = (made(tmp_path, search=SEARCH | {"trials": trials}, model=None) for trials in (3, 5))
    first = [run.key for run in few.plan.searching["adding", "lstm"]]
    assert [run.key for run in many.plan.searching["adding", "lstm"]][:3] == first


@pytest.mark.parametrize("seed", range(5))
def test_few_trials_cover_the_ranges(seed: int) -> None:
    """Of every four one lies in each quarter, of every nine in each ninth; more trials have the same values first."""
    ranges = {"a": Range(1e-4, 1.0, log=True), "b": Range(0.0, 9.0)}
    found = Search(ranges, 36, seed).candidates()
    assert found[:4] == Search(ranges, 4, seed).candidates()
    for start in range(0, 36, 4):
        assert {math.floor(math.log10(one["a"]) + 1e-9) for one in found[start : start + 4]} == {-4, -3, -2, -1}
    for start in range(0, 36, 9):
        assert sorted(math.floor(one["b"]) for one in found[start : start + 9]) == list(range(9))


def test_whole_numbers_and_choices_are_tried_as_often_as_each_other() -> None:
    shares = [(at + 0.5) / 1000 for at in range(1000)]
    assert Counter(Range(1, 4, whole=True).at(share) for share in shares) == dict.fromkeys((1, 2, 3, 4), 250)
    assert Counter(Range(choices=("adam", "sgd")).at(share) for share in shares) == {"adam": 500, "sgd": 500}
    several = Search({"optimiser": Range(choices=("adam", "sgd"))}, 4, 1000).candidates()
    assert sorted(one["optimiser"] for one in several) == ["adam", "sgd"]  # each is tried once
    log = [Range(1, 100, log=True, whole=True).at(share) for share in (0.0, 0.5, 0.9999)]
    assert log == [1, 10, 100]


@pytest.mark.usefixtures("fast")
def test_a_search_of_which_some_fail_goes_on_with_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = made(tmp_path, search=SEARCH, model=None, variants={"lstm": {"cell": "lstm"}})
    run_here(study)
    best = study.table()[0]["learning_rate"]

    def failing(config: dict) -> dict:
        if config["settings"]["learning_rate"] == best:
            raise MemoryError
        return pretended(config)

    monkeypatch.setattr(worker, "perform", failing)
    other = run_here(made(tmp_path / "other", search=SEARCH, model=None, variants={"lstm": {"cell": "lstm"}}))
    assert other.status().total == {"done": 6, "failed": 1}
    left = [row for row in study.table(search=True) if row["learning_rate"] != best]
    assert {row["learning_rate"] for row in other.table()} == {min(left, key=lambda row: row["val_mse"])["learning_rate"]}
    monkeypatch.setattr(worker, "perform", lambda config: {}[0])
    none = run_here(made(tmp_path / "none", search=SEARCH, model=None, variants={"lstm": {"cell": "lstm"}}))
    assert none.status().total == {"failed": 4, "waiting": 3} and none.table() == []


@pytest.mark.usefixtures("fast")
def test_report_has_the_numbers_of_numpy_and_scipy(tmp_path: Path) -> None:
    variants = {"lstm": {"cell": "lstm"}, "no forget gate": {"cell": "no_forget_gate(lstm)"}, "cifg": {"cell": "cifg"}}
    study = run_here(made(tmp_path, variants=variants, seeds=9))
    numbers = {name: np.array([row["test_mse"] for row in study.table() if row["variant"] == name]) for name in variants}
    rows = {row.variant: row for row in study.compared()["adding"]}
    for name, some in numbers.items():
        row = rows[name]
        assert (row.n, row.median) == (9, np.median(some)) and (row.low, row.high) == pytest.approx(
            np.percentile(some, (25, 75))
        )
        if name != "lstm":
            assert row.effect == np.median(some - numbers["lstm"])
            assert row.p == stats.wilcoxon(some, numbers["lstm"]).pvalue and row.pairs == 9
    least, most = sorted(rows[name].p for name in variants if name != "lstm")
    assert sorted(rows[name].holm for name in variants if name != "lstm") == [min(1, 2 * least), max(min(1, 2 * least), most)]
    assert rows["lstm"].p is None

    files = {path.name: path for path in study.report()}
    with files["results.csv"].open(encoding="utf-8") as file:
        kept = list(csv.DictReader(file))
    assert [float(row["test_mse"]) for row in kept] == [row["test_mse"] for row in study.table()]
    assert {row["task"] for row in kept} == {"adding"} and all(row["seed"] == str(at % 9) for at, row in enumerate(kept))
    page = files["report.md"].read_text(encoding="utf-8")
    assert f"| cifg | 9 | {rows['cifg'].median:.3g} |" in page and "(small-1-adding.svg)" in page
    assert "Holm's correction for the 2 comparisons" in page and "no p can be less than 0.0039" in page
    assert files["small-1-adding.png"].read_bytes()[:4] == b"\x89PNG" and b"<svg" in files["small-1-adding.svg"].read_bytes()
    assert {path.name for path in study.folder.iterdir()} == {*files, "study.db"}
    before = {name: path.read_bytes() for name, path in files.items()}
    study.report()
    assert {name: path.read_bytes() for name, path in files.items()} == before


def test_holm_by_hand() -> None:
    assert compare.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert compare.holm([0.5, 0.9]) == [1.0, 1.0] and compare.holm([]) == []


def test_comparisons_of_unequal_equal_and_diverged_values() -> None:
    base = {seed: 1.0 + seed for seed in range(6)}
    same, fewer, diverged, apart = dict(base), {5: 1.0, 0: 3.0}, base | {2: math.inf, 3: math.inf}, {7: 1.0}
    rows = {
        row.variant: row for row in compare.compare({"a": base, "b": same, "c": fewer, "d": diverged, "e": apart, "f": {}}, "a")
    }
    assert list(rows) == ["a", "b", "c", "d", "e"]
    assert (rows["b"].effect, rows["b"].p, rows["b"].holm) == (0.0, 1.0, 1.0)
    assert (rows["c"].n, rows["c"].pairs, rows["c"].effect) == (2, 2, np.median([1.0 - 6.0, 3.0 - 1.0]))
    assert (rows["d"].lost, rows["d"].median, rows["d"].effect) == (2, 5.5, 0.0)
    assert math.isinf(compare.quartiles([1.0, math.inf, math.inf])[1]) and rows["d"].p is not None
    assert (rows["e"].n, rows["e"].pairs, rows["e"].p) == (1, 0, None)


@pytest.mark.usefixtures("fast")
def test_what_is_no_number_counts_as_the_worst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverging(config: dict) -> dict:
        found = pretended(config)
        return found | {"metrics": {"test_mse": math.nan if config["seed"] == 1 else 0.5}}

    monkeypatch.setattr(worker, "perform", diverging)
    study = run_here(made(tmp_path, seeds=5))
    (base, other) = study.compared()["adding"]
    assert (base.lost, base.median, base.high, other.effect, other.p) == (1, 0.5, 0.5, 0.0, 1.0)
    assert "5 (1 diverged)" in next(path for path in study.report() if path.name == "report.md").read_text(encoding="utf-8")
    most = made(tmp_path, seeds=5, goal="maximise")
    assert most.compared()["adding"][0].low == 0.5 and most._open().study.best_value == 0.5


@pytest.mark.usefixtures("fast")
def test_a_task_may_have_its_own_model_training_and_metric(tmp_path: Path) -> None:
    own = SMALL["tasks"]["adding"] | {"model": {"hidden_size": 5}, "training": {"max_steps": 7}, "metric": "test_wrong"}
    study = made(tmp_path, tasks={"adding": SMALL["tasks"]["adding"], "own": own})
    runs = {run.task: run.config for run in study.plan.runs({})}
    assert [runs[task]["settings"]["hidden_size"] for task in ("adding", "own")] == [2, 5]
    assert [runs[task]["training"]["max_steps"] for task in ("adding", "own")] == [5, 7]
    assert runs["own"]["settings"]["learning_rate"] == 0.02 and study.specification.tasks["own"].metric == "test_wrong"


def test_cells_are_known_by_what_determines_them_and_by_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def keys(**changes: object) -> list[str]:
        return [run.key for run in made(tmp_path, **changes).plan.runs({})]

    first = keys()
    assert len(set(first)) == 6
    same = {"name": "other", "metric": "test_mae", "goal": "maximise", "retries": 0, "base": "no forget gate", "lost_after": 5}
    assert keys(**same) == first
    assert keys(model={"hidden_size": 2, "learning_rate": 0.02, "clip": 1}) == first  # said, or by default
    assert keys(variants={"x": {"cell": "lstm"}, "y": {"cell": "no_forget_gate(lstm)"}}, base="x") == first
    assert keys(seeds=4)[:6] == first
    others = [{"model": {"hidden_size": 2, "learning_rate": 0.021}}, {"training": {"max_steps": 6}}]
    others += [{"training": {"max_steps": 5, "stop": {"metric": "val_mse", "at_most": 0.1}}}]
    for changes in others:
        assert not set(keys(**changes)) & set(first)
    monkeypatch.setattr("byhand.study.specification.version", lambda: "9.9")
    assert not set(keys()) & set(first)


@pytest.mark.usefixtures("fast")
def test_status_knows_the_pace(tmp_path: Path) -> None:
    study = made(tmp_path)
    assert study.status().total == {"waiting": 6} and not study.folder.exists()
    fill(study)
    queue, runs = study._open(), study.plan.runs({})
    for _ in range(2):
        claim = queue.claim([run.key for run in runs])
        assert claim is not None
        claim.finish(pretended(claim.config) | {"took": 30.0, "host": "h", "torch": "t", "threads": 1}, 0.0)
    assert study.status().left is None
    for _ in range(2):
        assert queue.claim([run.key for run in runs])
    now = study.status()
    assert now.total == {"done": 2, "running": 2, "waiting": 2}
    assert now.left == pytest.approx((2 + 2 / 2) * 30 / 2) and now.rate == pytest.approx(4)
    assert now.line == "2 of 6 runs done, 2 running, 2 waiting, 4 runs a minute, about 45 s left"
    assert "1/3, 1 running" in text(view(now))
    assert [duration(one) for one in (0.42, 60, 600, 12000, 190000)] == ["0.4 s", "60 s", "10 min", "3 h 20 min", "2 d 4 h"]


def test_no_report_without_results(tmp_path: Path) -> None:
    study = made(tmp_path)
    with pytest.raises(StudyError, match=r"expected runs that are done, got none yet: byhand study run .* --folder"):
        study.report()
    assert not study.folder.exists()
