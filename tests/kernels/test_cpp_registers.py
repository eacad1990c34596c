"""With half the vector registers, as AVX2 has them, a kernel goes about its work in other blocks, and gives the same."""

import platform
from functools import partial

import pytest
import torch
from pairs import assert_engines_agree, assert_equal, example, on, packed, threads
from test_cpp_paths import PATHS, Path, lengths_of

from byhand import cells
from byhand.engine.cpp import autograd, engine
from byhand.engine.cpp import kernel as kernels
from byhand.engine.cpp.toolchain import compiler
from byhand.engine.cpp.toolchain.processor import cpu

AVX2 = ("-march=x86-64-v3",)


@pytest.fixture(params=["lstm", "gru"])
def name_in_avx2(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A cell's name; the C++ engine runs it on a kernel for AVX2."""
    if platform.machine() not in ("x86_64", "AMD64") or not {"avx2", "fma"} <= set(cpu().split()):
        pytest.skip("the processor has no AVX2")
    if compiler.find() is None:
        pytest.skip("there is no compiler")
    with monkeypatch.context() as flagged:
        flagged.setattr(kernels.compiler, "library", partial(compiler.library, flags=AVX2))
        narrow = kernels.Kernel(getattr(cells, request.param), torch.float64)
    for module in (autograd, engine):
        monkeypatch.setattr(module, "kernel", lambda *_: narrow)
    return request.param


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_every_path(name_in_avx2: str, path: Path) -> None:
    given = example(name_in_avx2, path.shape)
    with threads(path.threads):
        assert_engines_agree(*given)
        assert_equal(on("cpp", *given), on("cpp", *given))
        layer, x, states = example(name_in_avx2, path.shape, bidirectional=True)
        assert_engines_agree(layer, packed(x, lengths_of(path.shape)), states)
