"""Compiling: engine/compiler.py, mostly with compilers that are shell scripts. Most tests ask for the same tiny library and count
how often the compiler was started.
"""

import errno
import logging
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import compilers
import pytest
from compilers import NATIVE, REAL, SHOWN, SOURCE, Fake, answer, kept, leftovers, process, refused

from byhand.engine.cpp.toolchain import compiler, libraries
from byhand.engine.cpp.toolchain.compiler import CompilerError

folder = compilers.folder
fake = compilers.fake


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
        monkeypatch.setattr("compilers.SOURCE", SOURCE + "\n")
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
    with libraries.workplace(folder) as place:
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
