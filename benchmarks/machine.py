"""Measures what the machine can do, so that a figure says on which machine it was got: its rates of matrix products."""

from __future__ import annotations

import os
import time
from statistics import median
from typing import Literal, NamedTuple

MATRIX_SIDE = 2048
REPEATS = 3

Precision = Literal["float32", "bfloat16"]


class Machine(NamedTuple):
    """A machine, by its processor and its rates of matrix products on all cores."""

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
    """Returns the rate of matrix products in "float32" or "bfloat16" on all cores, the median of three."""
    import numpy as np
    import tensorflow as tf

    random = np.random.default_rng(0).standard_normal((MATRIX_SIDE, MATRIX_SIDE))
    square = tf.cast(tf.constant(random, tf.float32), precision)

    def seconds() -> float:
        started = time.perf_counter()
        tf.matmul(square, square).numpy()
        return time.perf_counter() - started

    seconds()  # the first one allocates
    return 2 * MATRIX_SIDE**3 / median(seconds() for _ in range(REPEATS))
