"""Chooses the arithmetic of a training step: float32, or bfloat16 where the machine multiplies it faster."""

from __future__ import annotations

import contextlib
import ctypes.util
import functools
import importlib.util
import logging
import os
import subprocess
import time
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple

logger = logging.getLogger(__name__)

Precision = Literal["auto", "float32", "bfloat16"]
CPU_INFO = Path("/proc/cpuinfo")  # Linux; elsewhere TensorFlow has no fast bfloat16 on CPUs
GPU_DEVICE = Path("/dev/nvidiactl")
# As Linux names the units that multiply bfloat16: of Intel and AMD, of Intel, of Arm.
CPU_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
BFLOAT16_CAPABILITY = 8.0  # NVIDIA's "compute capability" from which GPUs multiply bfloat16: Ampere's
MATRIX_SIDE = 1024
WORTHWHILE_GAIN = 1.1  # processors with a unit for bfloat16 gain 1.9


class Arithmetic(NamedTuple):
    """The type of the convolutions while a network trains, and why it was chosen."""

    type: Literal["float32", "bfloat16"]
    reason: str


def choose_precision(precision: Precision) -> Arithmetic:
    """Returns what `train.precision` stands for on this machine. TensorFlow is not needed for it."""
    if precision != "auto":
        return Arithmetic(precision, "train.precision says so")
    return _of_gpu() or _of_processor()


def warn_if_slow() -> None:
    """Logs it if a matrix product on this processor is not faster in bfloat16: flags promise more than some have."""
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU") and (gain := _measure_gain()) < WORTHWHILE_GAIN:
        logger.warning(
            "A matrix product in bfloat16 is %.1f times as fast as in float32 here, and no GPU is in use: with "
            "train.precision=float32, training would take no longer and round less",
            gain,
        )


def _measure_gain() -> float:
    """Returns the median of five ratios, each of a product in float32 to the same in bfloat16: a tenth of a second."""
    import tensorflow as tf

    square = tf.random.stateless_normal((MATRIX_SIDE, MATRIX_SIDE), (0, 0))

    def seconds(type_: tf.DType) -> float:
        factor, started = tf.cast(square, type_), time.perf_counter()
        tf.matmul(factor, factor).numpy()
        return time.perf_counter() - started

    _, *ratios = (seconds(tf.float32) / seconds(tf.bfloat16) for _ in range(6))  # the first one allocates
    return median(ratios)


def _of_gpu() -> Arithmetic | None:
    """Returns the arithmetic for the GPU that TensorFlow would use; None if it would use none."""
    if not GPU_DEVICE.exists() or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not _has_cudnn():
        return None
    capability = _lowest_capability()
    if capability is None:
        return Arithmetic("float32", "there is a GPU, and nvidia-smi does not say what it can do")
    if capability < BFLOAT16_CAPABILITY:
        return Arithmetic("float32", f"the GPU has compute capability {capability:g}, and bfloat16 needs 8")
    return Arithmetic("bfloat16", f"there is a GPU of compute capability {capability:g}")


def _has_cudnn() -> bool:
    """Whether NVIDIA's library is there, without which TensorFlow leaves a GPU alone."""
    with contextlib.suppress(ModuleNotFoundError):
        if importlib.util.find_spec("nvidia.cudnn"):
            return True
    return ctypes.util.find_library("cudnn") is not None


@functools.cache
def _lowest_capability() -> float | None:
    """Returns the lowest compute capability of the GPUs; None if it cannot be found."""
    command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        return min(map(float, said.split()))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _of_processor() -> Arithmetic:
    flags = _cpu_flags()
    found = next((flag for flag in CPU_FLAGS if flag in flags), None)
    if found is None:
        return Arithmetic("float32", f"the processor has none of {', '.join(CPU_FLAGS)}")
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return Arithmetic("float32", f"the processor has {found}, and TF_ENABLE_ONEDNN_OPTS=0 leaves it unused")
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
