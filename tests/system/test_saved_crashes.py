"""Whatever ends a save, a model is left, the old or the new: errors, kills, a full disk, a power cut."""

import errno
import itertools
import os
import random
import re
import resource
import shutil
import signal
import time
from pathlib import Path

import pytest
import saved_models
from saved_models import FILES, NEW, OLD, die, exit_code, fail, forked, half_saved, held, interrupted, names, save, saving

from byhand.nn.pretrained import folder as model_folder

one_engine = saved_models.one_engine


forks = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")


def test_an_error_at_any_step_loses_nothing(tmp_path: Path) -> None:
    after: list[str] = []
    for number in itertools.count(1):
        save(OLD, tmp_path)
        try:
            with interrupted(number, fail):
                save(NEW, tmp_path)
        except OSError as error:
            assert str(error).startswith(f"[Errno 28] {tmp_path}: expected a folder to save into, got: injected: no space left")  # noqa: PT017
        else:
            break
        assert names(tmp_path) == FILES
        after.append(held(tmp_path))
    assert held(tmp_path) == "new"
    assert after == sorted(after, reverse=True) and after.count("old") > 15 and after.count("new") > 5


@pytest.mark.parametrize("half", [False, True], ids=["over a save", "over half a save"])
@forks
def test_a_kill_before_any_step_loses_nothing(tmp_path: Path, half: bool) -> None:
    after: list[str] = []
    littered = 0
    for number in itertools.count(1):
        half_saved(tmp_path, OLD, NEW) if half else save(OLD, tmp_path)
        assert names(tmp_path) == FILES

        def work(number: int = number) -> None:
            with interrupted(number, die):
                save(NEW, tmp_path)

        code = exit_code(forked(work))
        after.append(held(tmp_path))
        littered += names(tmp_path) != FILES
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert after == sorted(after, reverse=True) and after.count("old") > 15 and after.count("new") > 5
    assert littered > 15


@forks
def test_a_hundred_kills_at_any_moment_lose_nothing(tmp_path: Path) -> None:
    rng, found, littered, begun = random.Random(0), [], 0, time.perf_counter()
    for _ in range(10):
        save(OLD, tmp_path)
    one_save = (time.perf_counter() - begun) / 10
    for number in range(100):
        with saving(tmp_path) as wait_for_next:
            for _ in range(1 + number % 3):
                wait_for_next()
            time.sleep(rng.uniform(0, one_save))
        found.append(held(tmp_path))
        littered += names(tmp_path) != FILES
    assert set(found) == {"old", "new"} and littered
    save(NEW, tmp_path)
    assert held(tmp_path) == "new" and names(tmp_path) == FILES


@forks
def test_loading_while_another_process_saves(tmp_path: Path) -> None:
    save(OLD, tmp_path)
    found = set()
    with saving(tmp_path) as wait_for_next:
        for _ in range(40):
            wait_for_next()
            found |= {held(tmp_path) for _ in range(10)}
    assert found == {"old", "new"}


def test_loading_while_two_saves_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The description is the same before and after the weights are read, and they are none of its."""
    save(OLD, tmp_path)
    usual, first = model_folder.read_regular, iter([True])

    def read_regular(path: Path, most: int | None = None) -> bytes:
        if path.name != "model.safetensors" or not next(first, False):
            return usual(path, most)
        save(NEW, tmp_path)
        content = usual(path, most)
        save(OLD, tmp_path)
        return content

    monkeypatch.setattr(model_folder, "read_regular", read_regular)
    assert held(tmp_path) == "old" and next(first, None) is None


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    """The kernel itself cuts the writing short, at every size that is too small."""
    save(OLD, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    save(NEW, tmp_path / "elsewhere")
    needed = (tmp_path / "elsewhere/model.safetensors").stat().st_size
    shutil.rmtree(tmp_path / "elsewhere")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (0, 1, 100, 500, 1000, 2000, needed // 2, needed - 1):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, usual[1]))
            with pytest.raises(OSError, match="expected a folder to save into, got: File too large") as caught:
                save(NEW, tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        assert caught.value.errno == errno.EFBIG
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert held(tmp_path) == "old"


def test_a_first_save_that_fails_may_be_repeated(tmp_path: Path) -> None:
    number = 0
    for number in itertools.count(1):
        folder = tmp_path / str(number) / "deep" / "down"
        try:
            with interrupted(number, fail):
                save(NEW, folder)
        except OSError:
            save(NEW, folder)
        else:
            break
        assert held(folder) == "new" and names(folder) == FILES
    assert number > 15


def test_folders_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for folder, reason in ((tmp_path / "file", "File exists"), (tmp_path / "file/below", "Not a directory")):
        with pytest.raises(OSError, match=f"{re.escape(str(folder))}: expected a folder to save into, got: {reason}"):
            save(OLD, folder)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_every_step_is_on_the_disk_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a power cut would tell: content is synced before it gets its name, and the name before the next one changes."""
    save(OLD, tmp_path)
    synced, replaced = set(), []
    folder, fsync, replace = tmp_path.stat().st_ino, os.fsync, os.replace

    def watched_fsync(descriptor: int) -> None:
        fsync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def watched_replace(source: Path, target: Path) -> None:
        assert source.parent == target.parent and source.stat().st_ino in synced
        assert folder in synced or not replaced
        replace(source, target)
        synced.discard(folder)
        replaced.append(target.name)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    save(NEW, tmp_path)
    assert replaced == ["config.json", "model.safetensors", "config.json", "README.md"] and folder in synced


def test_leftovers_do_not_disturb(tmp_path: Path) -> None:
    save(OLD, tmp_path)
    for name in ("0-config.json", "1-model.safetensors", "9-anything"):
        (tmp_path / f".saving-{name}").write_bytes(b"half of it")
    assert held(tmp_path) == "old"
    save(NEW, tmp_path)
    assert held(tmp_path) == "new" and names(tmp_path) == FILES
