"""Compiling, keeping and loading: engine/compiler.py and engine/cache.py, mostly with compilers that are shell scripts.

Most of these tests ask for the same tiny library and count how often the compiler was started.
"""

import errno
import fcntl
import logging
import os
import platform
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT

from byhand.engine import cache, compiler, processor
from byhand.engine.compiler import CompilerError

SHOWN = '__attribute__((visibility("default")))'
SOURCE = f'extern "C" {SHOWN} int answer() {{ return 42; }}\n'
REAL = shutil.which("c++") or "c++"
NATIVE = "*=native*"
# Only the modules under test, so that many processes start quickly; which shows, too, that they need nothing else.
ALONE = f"""
import sys, types
for name in ("byhand", "byhand.engine"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [{str(ROOT / "src")!r} + "/" + name.replace(".", "/")]
from byhand.engine import cache, compiler
SOURCE = {SOURCE!r}
"""


class Fake:
    """A compiler that notes each start, does what the test wants, and then is the real one."""

    def __init__(self, folder: Path, name: str = "c++") -> None:
        self.path, self.notes, self.slow = folder / name, folder / "notes", folder / "slow"
        folder.mkdir(parents=True, exist_ok=True)
        self.behave()

    def behave(self, first: str = "", then: str = f'exec {shlex.quote(REAL)} "$@"') -> None:
        """`out` is the file that the compiler is to write."""
        self.path.unlink(missing_ok=True)
        self.path.write_text(
            "#!/bin/sh\n"
            f'echo "$TMPDIR: $*" >>"{self.notes}"\n'
            'for word in "$@"; do [ "$last" = -o ] && out=$word; last=$word; done\n'
            f"slow='{self.slow}'\n"
            'work() { for _ in $(seq 600); do sleep 0.05; [ -e "$slow.enough" ] && break; done; touch "$slow.survived"; }\n'
            '[ -e "$slow" ] && { work & wait; }\n'
            f"{first}\n{then}\n"
        )
        self.path.chmod(0o755)

    @property
    def starts(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the libraries go; not there yet. Nothing of the person who runs the tests has a say."""
    for name in ("CXX", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BYHAND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler, "_known", {})
    monkeypatch.setattr(cache, "_temporary", [])
    return tmp_path / "cache"


@pytest.fixture
def fake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake(folder.parent / "bin")
    monkeypatch.setenv("PATH", f"{made.path.parent}{os.pathsep}{os.environ['PATH']}")
    return made


def answer(**options: tuple[str, ...]) -> int:
    """What the library answers, as a new process would find it: in the cache or nowhere."""
    compiler._known.clear()
    return compiler.library(SOURCE, **options).answer()


def refused() -> str:
    """What a new process is told."""
    compiler._known.clear()
    with pytest.raises(CompilerError) as told:
        compiler.library(SOURCE)
    assert "\n" not in str(told.value)
    return str(told.value)


def kept(folder: Path) -> Path:
    (library,) = folder.glob("*.so")
    return library


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob(".compiling-*"))


def process(program: str, **options: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-S", "-W", "ignore", "-c", ALONE + program]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


# What is made


def test_compiles_at_first_use_only(folder: Path, fake: Fake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "byhand")
    assert answer() == 42
    assert len(fake.starts) == 1 and "-O3" in fake.starts[0] and "-ffast-math" not in fake.starts[0]
    assert [record.name for record in caplog.records] == ["byhand"] and str(fake.path) in caplog.text
    assert compiler.library(SOURCE) is compiler.library(SOURCE)
    assert answer() == 42  # from the cache
    assert len(fake.starts) == 1 and len(caplog.records) == 1
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(kept(folder).stat().st_mode) == 0o700
    assert fake.starts[0].startswith(f"{folder}/.compiling-")  # the compiler's own temporary files
    assert not leftovers(folder)


def test_time_from_the_cache(folder: Path) -> None:
    source = SOURCE + f"extern {SHOWN} const unsigned char filler[200000] = {{1}};\n"
    compiler.library(source)
    done = process(
        "import time\n"
        f"source = {source!r}\n"
        "begun = time.perf_counter()\n"
        "assert compiler.library(source).answer() == 42\n"
        "print(1000 * (time.perf_counter() - begun))\n"
    )
    out, errors = done.communicate(timeout=20)
    assert done.returncode == 0, errors
    assert kept(folder).stat().st_size > 200_000
    print(f"{float(out):.1f} ms to load {kept(folder).stat().st_size // 1000} kB from the cache in a new process")


@pytest.mark.parametrize("other", ["source", "flags", "compiler", "newer compiler", "processor"])
def test_each_thing_that_decides_the_code_is_in_the_key(
    other: str, folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer()
    options = {}
    if other == "source":
        monkeypatch.setattr("test_compiler.SOURCE", SOURCE + "\n")
    if other == "flags":
        options = {"flags": ("-DNDEBUG",)}
    if other == "compiler":
        monkeypatch.setenv("CXX", f"{fake.path} -g")
    if other == "newer compiler":
        fake.behave("# the same, changed")
    if other == "processor":
        monkeypatch.setattr(compiler, "processor", lambda: "flags : avx1024")
    assert answer(**options) == 42
    assert len(fake.starts) == len(list(folder.glob("*.so"))) == 2
    assert options.get("flags", ("",))[0] in fake.starts[1]


@pytest.mark.parametrize("behaviour", ["exit 1", "echo no library >$out; exit 0"])
def test_goes_without_native_code_where_that_fails(behaviour: str, folder: Path, fake: Fake) -> None:
    fake.behave(f'case "$*" in {NATIVE}) {behaviour};; esac')
    assert answer() == answer() == 42
    assert ["=native" in start for start in fake.starts] == [True, False]


@pytest.mark.parametrize("name", ["g++", "clang++"])
def test_the_flags_suit(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    real = shutil.which(name) or REAL
    monkeypatch.setenv("CXX", real)
    assert answer(flags=("-Werror",)) == 42
    with cache.workplace(folder) as place:
        assert compiler.build(SOURCE, place / "library.so", flags=("-Werror",)) is None  # the first try, native, was the one


# Which compiler


def test_the_first_of_the_usual_names(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for count, name in enumerate(("clang++", "g++", "c++")):
        made = Fake(tmp_path / str(count), name)
        monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / str(number)) for number in range(count + 1)))
        assert compiler.find() == (str(made.path),)
        assert compiler.refusal() is None


def test_a_wish_is_followed_with_its_arguments(folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Fake(folder.parent / "a place", "mine")
    monkeypatch.setenv("CXX", f"'{other.path}' -DTEXT='two words'")
    assert compiler.find() == (str(other.path), "-DTEXT=two words")
    assert answer() == 42
    assert "-DTEXT=two words -std" in other.starts[0] and not fake.starts


@pytest.mark.parametrize("wish", ["no-such-compiler -O3", "'g++"])
def test_a_wish_is_never_passed_over(wish: str, folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", wish)
    assert compiler.find() is None
    for said in (compiler.refusal(), refused()):
        assert repr(wish) in said and "unset CXX" in said
    assert not fake.starts


def test_without_a_compiler(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiler.find() is None
    for said in (compiler.refusal(), refused()):
        assert "c++, g++, clang++" in said and "apt install g++" in said and "pip install ziglang" in said


def test_ziglang_where_there_is_nothing_else(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "packages/ziglang"
    real = Fake(package, "zig")
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        f"import os, sys\nos.execv({str(real.path)!r}, [sys.argv[1], os.environ['ZIG_GLOBAL_CACHE_DIR'], *sys.argv[2:]])\n"
    )
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    monkeypatch.setattr(compiler, "NAMES", ())
    real.behave("shift")
    assert compiler.find() == (sys.executable, "-m", "ziglang", "c++")
    assert answer() == answer() == 42
    assert len(real.starts) == 1 and f" {folder}/zig -std" in real.starts[0]
    real.behave("shift #")  # another zig under the same Python
    assert answer() == 42
    assert len(real.starts) == 2
    assert "ziglang" not in sys.modules


def test_refusal_starts_nothing(folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **options: pytest.fail("started a process"))
    assert compiler.refusal() is None
    begun = time.perf_counter()
    for _ in range(1000):
        compiler.refusal()
    print(f"refusal takes {1000 * (time.perf_counter() - begun):.1f} µs")


def test_not_on_windows_yet(folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert compiler.find() is None
    assert "not compiled on Windows yet" in compiler.refusal() and "WSL" in refused()


# What goes wrong in compiling


def test_an_error_in_the_source(folder: Path, fake: Fake) -> None:
    source = '#error "so be it"\n#error and more\n' + SOURCE
    with pytest.raises(CompilerError):
        compiler.library(source)
    with pytest.raises(CompilerError, match=r"so be it.* \| .*and more") as told:
        compiler.library(source)
    assert len(fake.starts) == 2  # native and not; the second time it was known
    (file,) = (folder / "failed").glob("*.cpp")
    assert file.read_text() == source and str(file) in str(told.value) and "\n" not in str(told.value)
    assert "so be it" in file.with_suffix(".txt").read_text()
    assert not leftovers(folder) and not list(folder.glob("*.so"))


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("echo something; echo 'internal error: melted' >&2; exit 3", "failed: internal error: melted;"),
        ("exit 3", "exit status 3"),
        ("exit 0", "it wrote no file"),
        ("head -c 5000 /dev/urandom >$out; exit 0", "error in loading what it wrote"),
        (f"echo 'void nowhere(); void f() {{ nowhere(); }}' >$out.cpp; exec {REAL} -shared -fPIC $out.cpp -o $out", "nowhere"),
        ("kill -9 $$", "exit status -9"),
    ],
)  # fmt: skip
def test_a_broken_compiler(behaviour: str, said: str, folder: Path, fake: Fake) -> None:
    fake.behave(behaviour)
    told = refused()
    assert said in told and str(fake.path) in told and "CXX" in told
    assert not leftovers(folder) and not list(folder.glob("*.so"))
    fake.behave()
    assert answer() == 42


def test_what_cannot_be_started(folder: Path, fake: Fake) -> None:
    fake.path.write_bytes(b"\x7fELF and no more")
    assert "cannot be started" in refused()


def test_a_compiler_that_does_not_end(folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "LIMIT", 0.2)
    fake.slow.touch()
    assert "not done after" in refused()
    assert len(fake.starts) == 1 and not leftovers(folder)


def test_a_full_disk(folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr(compiler, "keep", full)
    told = refused()
    assert "No space left" in told and str(folder) in told and "make room" in told


# What is loaded


def test_the_places(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiler.cache_folder() == folder
    monkeypatch.setenv("BYHAND_CACHE", "~/mine")
    assert compiler.cache_folder() == tmp_path / "home/mine"
    monkeypatch.delenv("BYHAND_CACHE")
    assert compiler.cache_folder() == tmp_path / "home/.cache/byhand"
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
    cache.keep(folder, key, folder / "other")
    assert answer() == 42
    assert len(fake.starts) == 2 and kept(folder).stat().st_size > 1000


# Where nothing can be kept


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


# Many at once, and some of them killed


def test_fifty_processes_at_once_compile_once(folder: Path, fake: Fake) -> None:
    fake.behave("sleep 0.2")
    go = folder.parent / "go"
    program = f"import time, pathlib\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)\n"
    many = [process(program + "print(compiler.library(SOURCE).answer())") for _ in range(50)]
    go.touch()
    said = [one.communicate(timeout=60) for one in many]
    assert [out for out, _ in said] == ["42\n"] * 50, said
    assert len(fake.starts) == 1
    assert not leftovers(folder) and kept(folder)


def test_threads_compile_once(folder: Path, fake: Fake) -> None:
    fake.behave("sleep 0.2")
    compiler._known.clear()
    with ThreadPoolExecutor(8) as pool:
        libraries = list(pool.map(lambda _: compiler.library(SOURCE), range(8)))
    assert {id(one) for one in libraries} == {id(libraries[0])}
    assert len(fake.starts) == 1


def test_a_child_forked_while_a_thread_compiles(folder: Path, fake: Fake) -> None:
    """It has no such thread, so it must not wait for it; it does wait for the process."""
    fake.behave("sleep 0.3")
    done = process(
        "import os, threading, time\n"
        "thread = threading.Thread(target=compiler.library, args=(SOURCE,))\n"
        "thread.start()\n"
        f"while not os.path.exists({str(fake.notes)!r}): time.sleep(0.01)\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(compiler.library(SOURCE).answer())\n"
        "_, status = os.waitpid(child, 0)\n"
        "thread.join()\n"
        "print(os.waitstatus_to_exitcode(status))\n"
    )
    out, errors = done.communicate(timeout=20)
    assert out == "42\n", errors
    assert len(fake.starts) == 1


def test_killed_while_compiling(folder: Path, fake: Fake) -> None:
    fake.slow.touch()
    killed = process("compiler.library(SOURCE)", stdin=subprocess.DEVNULL)
    until(lambda: fake.starts)
    killed.kill()
    killed.communicate(timeout=20)
    fake.slow.unlink()
    (left,) = leftovers(folder)
    assert answer() == 42  # the lock was given back
    assert not fake.slow.with_name("slow.survived").exists()  # though the compiler is still at work
    fake.slow.with_name("slow.enough").touch()
    until(fake.slow.with_name("slow.survived").exists)
    assert kept(folder) and leftovers(folder) == [left]  # it could be somebody's who is still at work
    os.utime(left, (0, 0))
    answer(flags=("-DNDEBUG",))
    assert not leftovers(folder)


def test_interrupted_while_compiling(folder: Path, fake: Fake) -> None:
    fake.slow.touch()
    stopped = process("compiler.library(SOURCE)")
    until(lambda: fake.starts)
    stopped.send_signal(signal.SIGINT)
    _, errors = stopped.communicate(timeout=20)
    assert stopped.returncode == -signal.SIGINT and "KeyboardInterrupt" in errors
    assert not leftovers(folder) and not list(folder.glob("*.so"))
    fake.slow.with_name("slow.enough").touch()
    time.sleep(0.3)
    assert not fake.slow.with_name("slow.survived").exists()  # what the compiler had started is gone, too
    fake.slow.unlink()
    assert answer() == 42


def test_an_interruption_is_not_remembered(folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(compiler, "load", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compiler.library(SOURCE)
    assert compiler.library(SOURCE).answer() == 42


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EAGAIN])
def test_without_locks_and_beside_one_that_hangs(
    number: int, folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lockf(*arguments: object) -> None:
        raise OSError(number, "not now")

    monkeypatch.setattr(fcntl, "lockf", lockf)
    monkeypatch.setattr(cache, "PATIENCE", 0.1)
    caplog.set_level(logging.INFO, "byhand")
    assert answer() == 42
    assert ("waiting for another process" in caplog.text) == (number == errno.EAGAIN)


def test_no_threads_are_left(folder: Path, fake: Fake) -> None:
    before = threading.active_count()
    answer()
    assert threading.active_count() == before


# The processor


@pytest.mark.parametrize(
    ("machine", "said", "expected"),
    [
        ("x86_64", "model name\t: A\nflags\t\t: fpu sse4_2 avx fma avx2 avx512f\n", "x86_64 avx512f avx2 avx fma sse4_2"),
        ("aarch64", "Features\t: fp asimd sve\n", "aarch64 sve neon"),
        ("x86_64", "machdep.cpu.leaf7_features: AVX2 BMI1\nmachdep.cpu.features: FPU SSE4.2 FMA\n", "x86_64 avx2 fma sse4_2"),
        ("arm64", "machdep.cpu.brand_string: Apple M9\n", "arm64 neon"),
        ("riscv64", "", "riscv64"),
    ],
)
def test_cpu(machine: str, said: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(processor, "processor", lambda: said)
    assert compiler.cpu() == expected


def test_the_processor_is_asked_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info, real = tmp_path / "cpuinfo", Path.open
    monkeypatch.setattr(Path, "open", lambda path, **options: real(info if str(path) == "/proc/cpuinfo" else path, **options))
    ask = processor.processor.__wrapped__
    info.write_text("model name\t: A\ncpu MHz\t: 1\nflags\t: avx2\n\nmodel name\t: B\nflags\t: none\n")
    assert ask() == "model name\t: A\nflags\t: avx2\n"
    info.write_text("")
    assert ask() == ""
    info.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask() == ""
    (tmp_path / "sysctl").write_text('#!/bin/sh\necho "$1.brand_string: Apple M9"\n')
    (tmp_path / "sysctl").chmod(0o755)
    assert ask() == "machdep.cpu.brand_string: Apple M9\n"
