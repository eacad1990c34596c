"""However torch records or transforms a layer, with nothing compiled yet: what comes after is as after a plain call."""

import shlex

import pytest
from transformations import WAYS, lines

from byhand.engine.cpp.toolchain.compiler import find

CASE = ("lstm", "plain")


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One that makes slow code fast: what is tested is what surrounds it."""
    script = tmp_path_factory.mktemp("compiler") / "c++"
    script.write_text(f'#!/bin/bash\nexec {shlex.join(find() or ())} "${{@/#-O3/-O0}}"\n')
    script.chmod(0o755)
    return str(script)


@pytest.fixture(scope="module")
def plain(compiler: str) -> str:
    return lines("eager", "lstm", "--form", "plain", "--cold", CXX=compiler)[CASE]


@pytest.mark.parametrize("way", WAYS)
def test_a_first_use(way: str, plain: str, compiler: str) -> None:
    verdict = lines(way, "lstm", "--form", "plain", "--cold", CXX=compiler)[CASE]
    assert plain.startswith("right, ")
    assert verdict == plain or (way == "jit.script" and verdict.startswith("refused: "))
