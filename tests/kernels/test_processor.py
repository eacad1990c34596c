"""The name of the processor, for which a library is made."""

import platform
from pathlib import Path

import pytest

from byhand.engine.cpp.toolchain import compiler, processor


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
