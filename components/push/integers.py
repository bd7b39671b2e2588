"""Implements the operations of Core ML that store values as integers and take them back: one scale for each tensor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

_LIMITS = {"int8": (-128.0, 127.0), "uint8": (0.0, 255.0)}


def _quantize(
    x: tf.Tensor, scale: tf.Tensor, zero_point: np.ndarray | None = None, output_dtype: str = "int8"
) -> tf.Tensor:
    """Returns the integers, as float32, that stand for x: x / scale + zero point, rounded and kept within limits."""
    return tf.clip_by_value(tf.round(x / scale) + _float(zero_point), *_LIMITS[output_dtype])


def _dequantize(x: tf.Tensor, scale: tf.Tensor, zero_point: np.ndarray | None = None) -> tf.Tensor:
    return (x - _float(zero_point)) * scale


def _float(zero_point: np.ndarray | None) -> np.ndarray:
    return np.asarray(0 if zero_point is None else zero_point, np.float32)


# They work on each number alone. Core ML calls what they work on `input`. No network is trained with them.
INTEGER_OPERATIONS: dict[str, Callable[..., tf.Tensor]] = {"dequantize": _dequantize, "quantize": _quantize}
