"""Implements the closed set of operations that our networks convert to, over batches of images.

Names, arguments and meaning are those of Core ML's Model Intermediate Language (apple.github.io/coremltools, "MIL
ops"), with one exception: a saved model takes one image, so every tensor in it has a leading dimension of 1; here that
dimension is the number of images. Operations that would mix images raise ValueError. Arithmetic is float32.

Core ML has the channels of images first, (n, C, H, W). TensorFlow's convolutions need them last on CPUs, and to move
them takes as long as to compute: so what works on either order keeps them last from one convolution to the next.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf


def to_channels_first(x: tf.Tensor) -> tf.Tensor:
    """Converts (n, H, W, C) to (n, C, H, W), the layout of images in Core ML."""
    return tf.transpose(x, (0, 3, 1, 2))


def to_channels_last(x: tf.Tensor) -> tf.Tensor:
    """Converts (n, C, H, W) to (n, H, W, C), the layout that TensorFlow needs on CPUs."""
    return tf.transpose(x, (0, 2, 3, 1))


def _within_images(axes: Sequence[int], rank: int) -> list[int]:
    """Returns the axes counted from the front. Raises ValueError if one of them is the batch."""
    positive = [int(axis) % rank for axis in np.atleast_1d(axes)]
    if 0 in positive:
        raise ValueError("it works across images (axis 0)")
    return positive


def _cast(x: tf.Tensor, dtype: str) -> tf.Tensor:
    if dtype not in ("fp16", "fp32"):
        raise ValueError(f"a cast to {dtype}; fp16 and fp32 are known")
    return x


def _conv(
    x: tf.Tensor,
    weight: tf.Tensor,
    bias: tf.Tensor | None = None,
    strides: Sequence[int] = (1, 1),
    pad_type: str = "valid",
    pad: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
) -> tf.Tensor:
    """Convolves x (n, H, W, C) with weight (C_out, C / groups, kernel height, kernel width).

    `pad` is (top, bottom, left, right).
    """
    x, padding = _padded(x, pad_type, pad, fill=0.0)
    kernel = tf.transpose(weight, (2, 3, 1, 0))
    if groups == x.shape[-1] and groups > 1 and tuple(dilations) == (1, 1):
        kernel = tf.reshape(kernel, (*kernel.shape[:2], groups, -1))  # one convolution, not one for each channel
        y = tf.nn.depthwise_conv2d(x, kernel, (1, *strides, 1), padding)
        return y if bias is None else tf.nn.bias_add(y, bias)
    y = tf.concat(
        [
            tf.nn.conv2d(part, part_kernel, list(strides), padding, dilations=list(dilations))
            for part, part_kernel in zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
        ],
        axis=-1,
    )
    return y if bias is None else tf.nn.bias_add(y, bias)


def _padded(x: tf.Tensor, pad_type: str, pad: Sequence[int], fill: float) -> tuple[tf.Tensor, str]:
    """Pads x (n, H, W, C) if the padding is spelled out, and returns the padding that is left for TensorFlow to do."""
    if pad_type in ("valid", "same"):
        return x, pad_type.upper()
    if pad_type != "custom":
        raise ValueError(f"pad_type {pad_type}; valid, same and custom are known")
    top, bottom, left, right = (int(size) for size in pad)
    return tf.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill), "VALID"


def _max_pool(
    x: tf.Tensor,
    kernel_sizes: Sequence[int],
    strides: Sequence[int] = (1, 1),
    pad_type: str = "valid",
    pad: Sequence[int] = (0, 0, 0, 0),
    ceil_mode: bool = False,
) -> tf.Tensor:
    if ceil_mode:
        raise ValueError("ceil_mode=True; only False is known")
    x, padding = _padded(x, pad_type, pad, fill=float("-inf"))
    return tf.nn.max_pool2d(x, list(kernel_sizes), list(strides), padding)


def _avg_pool(
    x: tf.Tensor,
    kernel_sizes: Sequence[int],
    strides: Sequence[int] = (1, 1),
    pad_type: str = "valid",
    pad: Sequence[int] = (0, 0, 0, 0),
    exclude_padding_from_average: bool = False,
    ceil_mode: bool = False,
) -> tf.Tensor:
    padded = pad_type != "valid" and not (pad_type == "custom" and not any(pad))
    if ceil_mode or (padded and not (pad_type == "same" and exclude_padding_from_average)):
        raise ValueError("an average over padding or with ceil_mode; neither is known")
    padding = "SAME" if padded else "VALID"
    return tf.nn.avg_pool2d(x, list(kernel_sizes), list(strides), padding)


def _pad(x: tf.Tensor, pad: Sequence[int], mode: str = "constant", constant_val: float = 0.0) -> tf.Tensor:
    """Pads x. `pad` holds the sizes before and after, for each of the last dimensions."""
    sizes = np.reshape([int(size) for size in pad], (-1, 2)).tolist()
    sizes = [[0, 0]] * (len(x.shape) - len(sizes)) + sizes
    if mode != "constant" or any(sizes[0]):
        raise ValueError(f"mode {mode} by {sizes}; constant and within images is known")
    return tf.pad(x, sizes, constant_values=constant_val)


def _batch_norm(
    x: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    gamma: tf.Tensor | float = 1.0,
    beta: tf.Tensor | float = 0.0,
    epsilon: float = 1e-5,
    axis: int = 1,
) -> tf.Tensor:
    """Normalizes x, whose channels are along `axis`; all other arguments are (C,)."""
    factor = gamma * tf.math.rsqrt(variance + epsilon)
    shape = [1] * len(x.shape)
    shape[axis] = -1
    return x * tf.reshape(factor, shape) + tf.reshape(beta - mean * factor, shape)


def _gelu(x: tf.Tensor, mode: str = "EXACT") -> tf.Tensor:
    if mode not in ("EXACT", "TANH_APPROXIMATION"):
        raise ValueError(f"gelu mode {mode}; EXACT and TANH_APPROXIMATION are known")
    return tf.nn.gelu(x, approximate=mode == "TANH_APPROXIMATION")


def _linear(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | float = 0.0) -> tf.Tensor:
    """Multiplies x (n, in) by weight (out, in), and adds bias (out,)."""
    return tf.matmul(x, weight, transpose_b=True) + bias


def _matmul(x: tf.Tensor, y: tf.Tensor, transpose_x: bool = False, transpose_y: bool = False) -> tf.Tensor:
    return tf.matmul(x, y, transpose_a=bool(transpose_x), transpose_b=bool(transpose_y))


def _transpose(x: tf.Tensor, perm: Sequence[int]) -> tf.Tensor:
    axes = [int(axis) % len(x.shape) for axis in perm]
    if axes[0] != 0:
        raise ValueError("it moves the batch dimension")
    return tf.transpose(x, axes)


def _reshape(x: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Reshapes x. Saved shapes are those of one image: (1, ...), or (-1, ...) where -1 stands for 1."""
    first, *rest = (int(size) for size in shape)
    size = int(np.prod(x.shape[1:]))
    known = int(np.prod([length for length in rest if length != -1]))
    if first not in (1, -1) or (first == -1 and known != size):
        raise ValueError(f"reshape to {[first, *rest]}, which mixes the batch with other dimensions")
    return tf.reshape(x, (-1, *[size // known if length == -1 else length for length in rest]))


def _squeeze(x: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    return tf.squeeze(x, _within_images(axes, len(x.shape)))


def _expand_dims(x: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    for axis in sorted(_within_images(axes, len(x.shape) + len(axes))):
        x = tf.expand_dims(x, axis)
    return x


def _concat(values: Sequence[tf.Tensor], axis: int, interleave: bool = False) -> tf.Tensor:
    if interleave:
        raise ValueError("interleave=True; only False is known")
    return tf.concat(values, _within_images([axis], len(values[0].shape))[0])


def _reverse(x: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    return tf.reverse(x, _within_images(axes, len(x.shape)))


def _softmax(x: tf.Tensor, axis: int = -1) -> tf.Tensor:
    return tf.nn.softmax(x, _within_images([axis], len(x.shape))[0])


def _reduced(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    def reduce(x: tf.Tensor, axes: Sequence[int], keep_dims: bool = False) -> tf.Tensor:
        return function(x, axis=_within_images(axes, len(x.shape)), keepdims=bool(keep_dims))

    return reduce


OPERATIONS: dict[str, Callable[..., tf.Tensor]] = {
    "add": lambda x, y: x + y,
    "avg_pool": _avg_pool,
    "batch_norm": _batch_norm,
    "cast": _cast,
    "concat": _concat,
    "const": lambda val: val,
    "conv": _conv,
    "expand_dims": _expand_dims,
    "gelu": _gelu,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": _max_pool,
    "mul": lambda x, y: x * y,
    "pad": _pad,
    "real_div": lambda x, y: x / y,
    "reduce_max": _reduced(tf.reduce_max),
    "reduce_mean": _reduced(tf.reduce_mean),
    "relu": lambda x: tf.nn.relu(x),
    "relu6": lambda x: tf.nn.relu6(x),
    "reshape": _reshape,
    "reverse": _reverse,
    "sigmoid": lambda x: tf.sigmoid(x),
    "silu": lambda x: tf.nn.silu(x),
    "softmax": _softmax,
    "squeeze": _squeeze,
    "sub": lambda x, y: x - y,
    "tanh": lambda x: tf.tanh(x),
    "threshold": lambda x, alpha: tf.maximum(x, alpha),
    "transpose": _transpose,
}

# They take and give images with the channels last. The others, but for `ELEMENTWISE`, count axes as Core ML does.
CHANNELS_LAST: dict[str, Callable[..., tf.Tensor]] = {
    "avg_pool": _avg_pool,
    "batch_norm": functools.partial(_batch_norm, axis=-1),
    "conv": _conv,
    "max_pool": _max_pool,
}

# They give the same value whatever the order of dimensions.
ELEMENTWISE = frozenset(
    {"add", "cast", "gelu", "mul", "real_div", "relu", "relu6", "sigmoid", "silu", "sub", "tanh", "threshold"}
)

# They only choose or move values: what comes from float16 is float16 already.
CHOOSING_OPERATIONS = frozenset(
    {"concat", "expand_dims", "max_pool", "reduce_max", "relu", "relu6", "reshape", "reverse", "squeeze", "transpose"}
)
