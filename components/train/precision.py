"""Chooses the arithmetic of a training step: float32, or bfloat16 where the machine multiplies it faster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

Precision = Literal["auto", "float32", "bfloat16"]
CPU_INFO = Path("/proc/cpuinfo")  # Linux; elsewhere TensorFlow has no fast bfloat16 on CPUs
GPU_DEVICE = Path("/dev/nvidiactl")
# As Linux names the units that multiply bfloat16: of Intel and AMD, of Intel, of Arm.
CPU_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")


class Arithmetic(NamedTuple):
    """The type of the convolutions while a network trains, and why it was chosen."""

    type: Literal["float32", "bfloat16"]
    reason: str


def choose_precision(precision: Precision) -> Arithmetic:
    """Returns what `train.precision` stands for on this machine. TensorFlow is not needed for it."""
    return _fastest() if precision == "auto" else Arithmetic(precision, "train.precision says so")


def _fastest() -> Arithmetic:
    if GPU_DEVICE.exists() and os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1"):
        return Arithmetic("bfloat16", "there is a GPU")
    flags = _cpu_flags()
    found = next((flag for flag in CPU_FLAGS if flag in flags), None)
    if found is None:
        return Arithmetic("float32", f"the processor has none of {', '.join(CPU_FLAGS)}")
    return Arithmetic("bfloat16", f"the processor has {found}")


def _cpu_flags() -> frozenset[str]:
    """Returns what the first processor can do, in Linux's words; nothing where Linux does not say it."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    flags = (line.partition(":") for line in lines)
    named = (frozenset(value.split()) for name, _, value in flags if name.strip() in ("flags", "Features"))
    return next(named, frozenset())
