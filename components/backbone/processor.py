"""Tells what the processor is fast at, without TensorFlow."""

from __future__ import annotations

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


def multiplies_bfloat16(cpuinfo: Path = CPUINFO) -> bool:
    """Returns whether the processor multiplies bfloat16, at up to twice the rate of float32.

    Args:
        cpuinfo: the file in which Linux describes the processors. Without it, as on macOS, the answer is no.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return not BFLOAT16_FLAGS.isdisjoint(flags.split())
