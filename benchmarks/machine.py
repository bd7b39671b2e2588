"""Measures what the machine can do, so that a figure says on which machine it was got: its rates of matrix products."""

from __future__ import annotations

import os
import time
from statistics import median
from typing import Literal, NamedTuple

MATRIX_SIDE = 2048
GPU_MATRIX_SIDE, GPU_PRODUCTS = 8192, 20  # a GPU is done with less before it has been asked for more
REPEATS = 3

Precision = Literal["float32", "bfloat16"]


class Machine(NamedTuple):
    """A machine, by its processor and its rates of matrix products on all cores, or on its GPU."""

    cores: int
    float32_gflop_per_second: float
    bfloat16_gflop_per_second: float  # where no unit multiplies bfloat16, far below that of float32

    def __str__(self) -> str:
        return (
            f"{self.cores} cores; matrix product {self.float32_gflop_per_second:.0f} GFLOP/s in float32, "
            f"{self.bfloat16_gflop_per_second:.0f} in bfloat16"
        )


def measure_machine() -> Machine:
    """Measures the machine as it is now: half a second where nothing runs beside it."""
    rates = {precision: matrix_flop_per_second(precision) / 1e9 for precision in ("float32", "bfloat16")}
    return Machine(len(os.sched_getaffinity(0)), rates["float32"], rates["bfloat16"])


def matrix_flop_per_second(precision: str) -> float:
    """Returns the rate of matrix products in "float32" or "bfloat16", the median of three.

    They are computed on all cores, or on the first GPU, which takes "float32" as TensorFlow has it by default: in
    TensorFloat-32, where it can.
    """
    import numpy as np
    import tensorflow as tf

    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    side, products = (GPU_MATRIX_SIDE, GPU_PRODUCTS) if has_gpu else (MATRIX_SIDE, 1)
    random = np.random.default_rng(0).standard_normal((side, side), np.float32)
    square = tf.cast(tf.constant(random), precision)

    def seconds() -> float:
        started = time.perf_counter()
        for _ in range(products):
            product = tf.matmul(square, square)
        product[0, 0].numpy()  # waits for all of them
        return time.perf_counter() - started

    seconds()  # the first one allocates
    return 2 * side**3 * products / median(seconds() for _ in range(REPEATS))
