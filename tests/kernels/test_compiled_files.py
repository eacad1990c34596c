"""What compiling keeps, where, and what of it is loaded again: files/cache.py and engine/cpp/toolchain/libraries.py."""

import logging
import os
import pwd
import shutil
import stat
import sys
import tempfile
from pathlib import Path

import compilers
import pytest
from compilers import Fake, answer, kept, process, refused

from byhand.engine.cpp.toolchain import compiler, libraries
from byhand.errors import CompilerError
from byhand.files import cache
from byhand.ir import Program, store

folder = compilers.folder
fake = compilers.fake


# What is loaded


def test_the_places(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiler.cache_folder() == folder
    monkeypatch.setenv("BYHAND_CACHE", "~/mine")
    assert compiler.cache_folder() == tmp_path / "home/mine"
    monkeypatch.delenv("BYHAND_CACHE")
    assert compiler.cache_folder() == tmp_path / "home/.cache/byhand"
    with monkeypatch.context() as patch:  # an empty HOME, as services have it, is none: not the root of all folders
        patch.setattr(pwd, "getpwuid", lambda user: pwd.struct_passwd(("me", "", user, 0, "", str(tmp_path / "known"), "")))
        patch.setenv("HOME", "")
        assert compiler.cache_folder() == tmp_path / "known/.cache/byhand"
        patch.setenv("BYHAND_CACHE", "~/mine")
        assert compiler.cache_folder() == tmp_path / "known/mine"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert compiler.cache_folder() == tmp_path / "home/Library/Caches/byhand"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative: to be passed over")
    assert compiler.cache_folder() == tmp_path / "home/Library/Caches/byhand"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert compiler.cache_folder() == tmp_path / "xdg/byhand"
    assert stat.S_IMODE((tmp_path / "xdg/byhand").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
def test_a_folder_that_others_can_write_to(mode: int, folder: Path, fake: Fake) -> None:
    answer()
    folder.chmod(mode)
    for said in (compiler.refusal(), refused()):
        assert str(folder) in said and f"chmod 700 {folder}" in said
    folder.chmod(0o755)
    assert answer() == 42
    assert len(fake.starts) == 1


def test_the_folder_of_another_user(folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    answer()
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    said = refused()
    assert (
        str(folder) in said
        and f"expected it to be yours (user {me + 1}), got one of user {me}" in said
        and "BYHAND_CACHE" in said
    )


def test_a_link_to_a_folder_is_followed_once_and_checked(
    folder: Path, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    folder.symlink_to(real)
    assert compiler.cache_folder() == real
    real.chmod(0o777)
    assert f"chmod 700 {real}" in refused()
    real.chmod(0o700)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert f"kept in {real}, expected it to be yours" in refused()


@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_something_in_the_folders_place(kind: str, folder: Path) -> None:
    folder.touch() if kind == "file" else folder.symlink_to("nowhere")
    assert f"kept in {folder}, expected a folder" in refused()


def spoil(library: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file in its place: this process may still have the old one loaded."""
    content = library.read_bytes()
    library.unlink()
    if how == "a link":
        library.with_name("elsewhere").write_bytes(content)
        library.symlink_to("elsewhere")
        return
    if how == "a pipe":
        os.mkfifo(library, 0o700)
        return
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    library.write_bytes(
        {"truncated": content[:middle], "empty": b"", "one bit": flipped, "longer": content + b"\0"}.get(how, content)
    )
    library.chmod({"group's": 0o770, "anybody's": 0o702}.get(how, 0o700))
    if how == "another user's":
        spoiled, real = library.stat().st_ino, os.fstat

        def foreign(descriptor: int) -> os.stat_result:
            found = real(descriptor)
            return os.stat_result([*found[:4], found.st_uid + (found.st_ino == spoiled), *found[5:10]])

        monkeypatch.setattr(os, "fstat", foreign)


@pytest.mark.parametrize(
    "how", ["truncated", "empty", "one bit", "longer", "a link", "a pipe", "group's", "anybody's", "another user's"]
)
def test_a_library_not_as_it_was_written_is_made_anew(
    how: str, folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer()
    spoiled = kept(folder)
    spoil(spoiled, how, monkeypatch)
    inode = spoiled.lstat().st_ino
    caplog.set_level(logging.INFO, "byhand")
    assert answer() == 42
    assert len(fake.starts) == 2
    assert f"{spoiled} is not loaded" in caplog.text
    assert kept(folder).is_file() and not kept(folder).is_symlink()
    assert how == "a link" or kept(folder).lstat().st_ino != inode
    assert answer() == 42
    assert len(fake.starts) == 2


def test_a_library_of_another_system_is_made_anew(folder: Path, fake: Fake) -> None:
    answer()
    key = kept(folder).name.split("-")[0]
    kept(folder).unlink()
    (folder / "other").write_bytes(b"whole, and for another system")
    libraries.keep(folder, key, folder / "other")
    assert answer() == 42
    assert len(fake.starts) == 2 and kept(folder).stat().st_size > 1000


# Where nothing can be kept


def test_on_windows_nothing_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as it can be had here: a system without user numbers. Programs are then traced in each process."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "geteuid")
    with pytest.raises(CompilerError, match="nothing is kept on Windows yet"):
        compiler.cache_folder()
    store.write("key", Program((), (), {}))
    assert store.read("key") is None and not folder.exists()


def without_home(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BYHAND_CACHE")
    if how == "read-only":
        real = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "byhand" and real(path, mode))
    if how == "no folder":
        (tmp_path / "home").touch()
    if how == "unknown":

        def unknown() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", unknown)


@pytest.mark.parametrize("how", ["read-only", "no folder", "unknown"])
def test_without_a_home_a_temporary_folder(
    how: str, folder: Path, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without_home(how, tmp_path, monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    caplog.set_level(logging.INFO, "byhand")
    assert compiler.refusal() is None
    place = compiler.cache_folder()
    assert place == compiler.cache_folder() and place.parent == tmp_path and cache.is_temporary(place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert "BYHAND_CACHE" in caplog.text
    assert answer() == answer() == 42
    assert len(fake.starts) == 1
    shutil.rmtree(place)  # as those who tidy /tmp do
    assert answer() == 42
    assert compiler.cache_folder() != place


def test_the_temporary_folder_ends_with_its_process_and_not_with_a_forked_one(folder: Path, tmp_path: Path) -> None:
    done = process(
        "import os\n"
        "folder = compiler.cache_folder()\n"
        "if os.fork() == 0: sys.exit()\n"
        "os.wait()\n"
        "assert folder.is_dir() and compiler.library(SOURCE).answer() == 42\n"
        "print(folder)\n",
        env={name: value for name, value in os.environ.items() if name != "BYHAND_CACHE"} | {"HOME": "/dev/null"},
    )
    out, errors = done.communicate(timeout=20)
    assert done.returncode == 0, errors
    assert "byhand-" in out and not Path(out.strip()).exists()


def test_a_named_folder_is_never_passed_over(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BYHAND_CACHE", str(tmp_path / "file/cache"))
    for said in (compiler.refusal(), refused()):
        assert str(tmp_path / "file/cache") in said and "name another, or unset it" in said


def test_nowhere_at_all(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_home("no folder", tmp_path, monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert "nowhere to keep compiled code" in refused() and "BYHAND_CACHE" in refused()
