"""However torch records or transforms a layer, with nothing compiled yet: what comes after is as after a plain call."""

import shlex
from pathlib import Path

import pytest
from transformations import WAYS, Job, verdicts

from byhand.engine.cpp.toolchain.compiler import find

# Makes slow code fast, and copies what it has made before: what is tested is what surrounds it.
COMPILER = """#!/bin/bash
source="${{@: -3:1}}" target="${{@: -1}}"
made="{folder}/$(sha256sum < "$source" | cut -d " " -f 1).so"
if [ ! -f "$made" ]; then
    {command} "${{@/#-O3/-O0}}" || exit
    cp "$target" "$made"
fi
cp "$made" "$target"
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[Job, str]:
    folder: Path = tmp_path_factory.mktemp("compiler")
    script = folder / "c++"
    script.write_text(COMPILER.format(folder=folder, command=shlex.join(find() or ())))
    script.chmod(0o755)
    return verdicts(((way, "lstm", "plain") for way in WAYS), "--cold", CXX=str(script))


@pytest.mark.parametrize("way", WAYS)
def test_a_first_use(way: str, found: dict[Job, str]) -> None:
    plain, verdict = found["eager", "lstm", "plain"], found[way, "lstm", "plain"]
    assert plain.startswith("right, ")
    assert verdict == plain or (way == "jit.script" and verdict.startswith("refused: "))
