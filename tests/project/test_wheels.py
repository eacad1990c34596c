"""tools/prebuilt.py and tools/wheels.py: a wheel with kernels, installed, in a process that finds no compiler."""

import base64
import csv
import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from conftest import ROOT, run

from byhand import cells
from byhand.engine.cpp import shipped
from byhand.engine.cpp.toolchain import instructions
from byhand.files import prebuilt as files
from tools import prebuilt, wheels

ABOUT = "byhand-0.1.0.dist-info"
PROGRAM = """
import torch, byhand
from byhand import doctor
from byhand.ir import lower
lower.lower = None  # nothing is traced
layer, x = byhand.LSTM(3, 4), torch.randn(5, 2, 3)
with byhand.use_engine("cpp"):
    found = layer(x)[0]
print(byhand.__file__)
with byhand.use_engine("reference"):
    torch.testing.assert_close(found, layer(x)[0])
print(doctor.report())
"""


def pure_wheel(folder: Path) -> Path:
    """As pip builds it, of the package's Python and the rest that git knows."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "src/byhand", cwd=ROOT).stdout.splitlines()
    path = folder / "byhand-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name in listed:
            if (ROOT / name).exists():
                wheel.write(ROOT / name, name.removeprefix("src/"))
        wheel.writestr(f"{ABOUT}/METADATA", "Metadata-Version: 2.1\nName: byhand\nVersion: 0.1.0\n")
        wheel.writestr(f"{ABOUT}/WHEEL", "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{ABOUT}/RECORD", "")
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One kernel, lstm's in float32 for the least of our instruction sets that this processor has, compiled as all of them are."""
    if not instructions.usable() or instructions.system() not in wheels.TAGS:
        known = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512") and instructions.system().startswith("linux")
        assert not known, "torch sees instructions that our list does not"
        pytest.skip("no kernels are prebuilt for this kind of machine")
    folder = tmp_path_factory.mktemp("built") / "prebuilt"
    with pytest.MonkeyPatch.context() as patch:
        only_one(patch, folder)
        prebuilt.main([])
    return folder


def only_one(patch: pytest.MonkeyPatch, folder: Path) -> None:
    for module in (prebuilt, wheels):
        patch.setattr(module, "FOLDER", folder)
        patch.setattr(module, "KERNELS", shipped.KERNELS[:1])
        patch.setattr(module, "INSTRUCTION_SETS", instructions.usable()[-1:])
    patch.setattr(files, "FOLDER", folder)


@pytest.fixture
def folder(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what was built, to be spoilt."""
    copy = tmp_path / "prebuilt"
    shutil.copytree(built, copy)
    only_one(monkeypatch, copy)
    return copy


def test_a_wheel_with_kernels(folder: Path, tmp_path: Path) -> None:
    system = instructions.system()
    wheels.main([str(pure_wheel(tmp_path)), "--into", str(tmp_path / "dist")])
    (path,) = (tmp_path / "dist").iterdir()
    assert path.name == f"byhand-0.1.0-{wheels.TAGS[system]}.whl"
    with zipfile.ZipFile(path) as wheel:
        contents = {name: wheel.read(name) for name in wheel.namelist()}
    assert f"Tag: {wheels.TAGS[system]}\n" in contents[f"{ABOUT}/WHEEL"].decode()
    assert "Root-Is-Purelib: false\n" in contents[f"{ABOUT}/WHEEL"].decode()
    record = {name: (hashed, size) for name, hashed, size in csv.reader(contents[f"{ABOUT}/RECORD"].decode().splitlines())}
    assert record.pop(f"{ABOUT}/RECORD") == ("", "") and record.keys() == contents.keys() - {f"{ABOUT}/RECORD"}
    for name, (hashed, size) in record.items():
        code = base64.urlsafe_b64encode(hashlib.sha256(contents[name]).digest()).decode().rstrip("=")
        assert (hashed, int(size)) == (f"sha256={code}", len(contents[name]))

    site, cache = tmp_path / "site", tmp_path / "cache"
    done = run(*f"python -m pip install --no-index --no-deps --target {site} {path}".split(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run("python", "-c", PROGRAM, cwd=tmp_path, env={"PYTHONPATH": str(site), "BYHAND_CACHE": str(cache), "CXX": "none"})
    assert done.returncode == 0, done.stderr
    where, *report = done.stdout.splitlines()
    assert where.startswith(str(site)) and not list(cache.glob("*"))
    (row,) = (line for line in report if line.startswith("prebuilt "))
    assert row.endswith(f"  lstm in float32, for {instructions.usable()[-1].name}")
    assert report[-1].startswith("lstm in float32 run on prebuilt kernels; otherwise ")


def test_programs_of_all_cells(folder: Path) -> None:
    elementwise = [cell for name in cells.__all__ if isinstance(cell := getattr(cells, name), cells.Cell) and cell.elementwise]
    assert len(list((folder / "programs").iterdir())) == len(elementwise) >= 8


@pytest.mark.parametrize("how", ["stale", "damaged", "missing", "other flags"])
def test_kernels_that_are_not_current_are_not_shipped(how: str, folder: Path, tmp_path: Path) -> None:
    here = folder / instructions.system()
    manifest = json.loads((here / "manifest.json").read_text())
    (library,) = manifest["libraries"]
    if how == "stale":
        library["source"] = "0" * 64
    if how == "other flags":
        library["flags"].remove("-O3")
    if how == "damaged":
        (here / library["file"]).write_bytes(b"")
    (here / "manifest.json").write_text(json.dumps(manifest | {"libraries": [] if how == "missing" else [library]}))
    wheels.prebuilt.listed.cache_clear()
    with pytest.raises(SystemExit, match="type: make prebuilt"):
        wheels.main([str(pure_wheel(tmp_path)), "--into", str(tmp_path / "dist")])
    assert not list((tmp_path / "dist").iterdir())


def test_only_a_pure_wheel_of_these_sources_is_taken(folder: Path, tmp_path: Path) -> None:
    pure = pure_wheel(tmp_path)
    other = shutil.copy(pure, tmp_path / "byhand-0.1.0-py3-none-linux_x86_64.whl")
    with pytest.raises(SystemExit, match="expected a pure wheel"):
        wheels.main([str(other), "--into", str(tmp_path)])
    for name, said in (("engine/cpp/source.py", "is not the one here"), ("prebuilt/lstm.so", "holds prebuilt kernels already")):
        with zipfile.ZipFile(pure, "w") as wheel:
            wheel.writestr(f"byhand/{name}", b"")
        with pytest.raises(SystemExit, match=said):
            wheels.main([str(pure), "--into", str(tmp_path)])
    assert {path.name for path in tmp_path.glob("*.whl")} == {pure.name, Path(other).name}


def test_what_an_older_system_lacks_is_found() -> None:
    fine = b"\0libc.so.6\0libstdc++.so.6\0GLIBC_2.28\0GLIBC_2.2.5\0GLIBCXX_3.4.22\0CXXABI_1.3\0GLIBC_PRIVATE\0"
    assert list(wheels.too_new(fine)) == []
    strange = fine + b"GLIBC_2.34\0GLIBCXX_3.4.29\0libgomp.so.1\0libtorch_cpu.so\0"
    assert list(wheels.too_new(strange)) == ["GLIBC_2.34", "GLIBCXX_3.4.29", "libgomp.so.1", "libtorch_cpu.so"]
