"""Instruction sets that kernels are compiled for beforehand, and which of them this processor has."""

from __future__ import annotations

import platform
import sys
from typing import NamedTuple

from byhand.engine.cpp.toolchain import processor

X86_64_V2 = frozenset({"cx16", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3"})
X86_64_V3 = X86_64_V2 | {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"}
X86_64_V4 = X86_64_V3 | {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}


class InstructionSet(NamedTuple):
    """A kind of machine, the compiler's flags for it, and all that a compiler may use then, by Linux's names."""

    name: str
    machine: str
    flags: tuple[str, ...]
    needs: frozenset[str]


INSTRUCTION_SETS = (  # the fastest first
    InstructionSet("x86-64-v4", "x86_64", ("-march=x86-64-v4",), X86_64_V4),
    InstructionSet("x86-64-v3", "x86_64", ("-march=x86-64-v3",), X86_64_V3),
    InstructionSet("armv8-a", "arm64", ("-march=armv8-a",), frozenset()),  # every 64-bit ARM processor has these
)


def machine() -> str:
    """The kind of machine, by one name everywhere."""
    name = platform.machine().lower()
    return {"amd64": "x86_64", "aarch64": "arm64"}.get(name, name)


def system() -> str:
    """What a library is loaded by, as in "linux-x86_64"."""
    return f"{sys.platform}-{machine()}"


def usable() -> tuple[InstructionSet, ...]:
    """The sets that this processor has in full, the fastest first. None of x86 where the system does not list the features."""
    found = processor.features()
    return tuple(one for one in INSTRUCTION_SETS if one.machine == machine() and one.needs <= found)
