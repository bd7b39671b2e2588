"""Compresses the weights of an ML program: all large tensors alike, or each in a precision of its own."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import coremltools as ct
import numpy as np
from coremltools.models.neural_network import quantization_utils

# Tensors with fewer weights stay float16: they are a small part of the file, and compression harms the first and
# last layers most. With int8, so do the smallest ones that together hold about this fraction of the weights: of
# EfficientNet-Lite0 those are the first blocks, the smaller depthwise filters and the head.
COMPRESSED_WEIGHTS = 512
FLOAT16_FRACTION = 0.05
# For tensors with fewer weights, coremltools needs scikit-learn's k-means; from here on it uses its own.
PALETTIZED_WEIGHTS = 10_000
# Output channels that share a palette: 8 divides the widths of all our networks. Of a 3x3 convolution of 256 channels
# the palettes of 16 values are 0.3 % of the weights.
GROUP_CHANNELS = 8

WEIGHTED = frozenset({"conv", "linear", "matmul"})  # operations whose constants are weights of a layer


@dataclass(frozen=True)
class Precision:
    """How one tensor is stored: linearly in int8, one scale for each output channel, or as numbers in a palette."""

    text: str
    bits: int
    palette: bool = True
    group_channels: int = 0  # output channels that share a palette; 0: all of them
    target: str = "iOS16"  # the oldest iOS that reads it

    def bytes(self, shape: tuple[int, ...]) -> int:
        """Returns the bytes of a tensor (outputs, ...) and of its scales or palettes, which are float16."""
        groups = shape[0] // self.group_channels if self.group_channels else 1
        values = groups * 2**self.bits if self.palette else shape[0]
        return int(np.prod(shape)) * self.bits // 8 + 2 * values


@dataclass(frozen=True)
class Tensor:
    """The weights of a layer, and where they are used."""

    name: str
    shape: tuple[int, ...]
    uses: tuple[tuple[str, str], ...]  # (operation, argument)

    def __str__(self) -> str:
        return f"{self.name} ({' x '.join(map(str, self.shape))})"


PALETTE4 = Precision("4-bit palettes", 4)
PALETTE4_GROUPED = Precision("4-bit palettes by group", 4, group_channels=GROUP_CHANNELS, target="iOS18")
# iOS 16 reads palettes of 1, 2, 4, 6 and 8 bits; those of 8 are as large as int8, those of 2 far from the weights.
PRECISIONS = (
    Precision("int8", 8, palette=False),
    Precision("6-bit palettes", 6),
    PALETTE4,
    PALETTE4_GROUPED,
    Precision("3-bit palettes by group", 3, group_channels=GROUP_CHANNELS, target="iOS18"),
)


def weight_tensors(model: ct.models.MLModel) -> tuple[Tensor, ...]:
    """Returns the tensors of more than 512 weights of convolutions and matrix products, in the order of the program."""
    found = ct.optimize.coreml.get_weights_metadata(model, weight_threshold=COMPRESSED_WEIGHTS + 1)
    return tuple(
        Tensor(
            name,
            tuple(weight.val.shape),
            tuple(
                (child.name, argument)
                for child in weight.child_ops
                for argument, tensor in child.params_name_mapping.items()
                if tensor == name
            ),
        )
        for name, weight in found.items()
        if weight.val.ndim >= 2 and all(child.op_type in WEIGHTED for child in weight.child_ops)
    )


def compress(model: ct.models.MLModel, variant: str, sparsity: float) -> ct.models.MLModel:
    """Returns the float16 model with all large tensors compressed alike.

    Args:
        model: in float16.
        variant: "int8", "palettized8", "palettized6", "palettized4", "palettized4_grouped" or "pruned".
        sparsity: the fraction of weights that "pruned" sets to zero.
    """
    cto = ct.optimize.coreml
    if variant == "int8":
        quantizer = cto.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=_int8_threshold(model))
        return cto.linear_quantize_weights(model, cto.OptimizationConfig(quantizer))
    if variant == "pruned":
        pruner = cto.OpMagnitudePrunerConfig(target_sparsity=sparsity, weight_threshold=COMPRESSED_WEIGHTS)
        return cto.prune_weights(model, cto.OptimizationConfig(pruner))
    if variant == "palettized4_grouped":
        large = [tensor for tensor in weight_tensors(model) if np.prod(tensor.shape) > PALETTIZED_WEIGHTS]
        return compress_each(model, {tensor.name: PALETTE4_GROUPED for tensor in large})
    bits = int(variant.removeprefix("palettized"))
    palettizer = cto.OpPalettizerConfig(mode="kmeans", nbits=bits, weight_threshold=PALETTIZED_WEIGHTS)
    return cto.palettize_weights(model, cto.OptimizationConfig(palettizer))


def compress_each(model: ct.models.MLModel, precisions: Mapping[str, Precision]) -> ct.models.MLModel:
    """Returns the float16 model with each named tensor in its precision; the others stay as they are.

    So does a tensor whose output channels cannot be cut into groups.
    """
    cto = ct.optimize.coreml
    palettes: dict[str, Any] = {name: _palettizer(each) for name, each in precisions.items() if each.palette}
    linear: dict[str, Any] = {
        name: cto.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=COMPRESSED_WEIGHTS)
        for name, each in precisions.items()
        if not each.palette
    }
    if palettes:
        model = cto.palettize_weights(model, cto.OptimizationConfig(op_name_configs=palettes))
    if linear:
        model = cto.linear_quantize_weights(model, cto.OptimizationConfig(op_name_configs=linear))
    return model


def _palettizer(precision: Precision) -> ct.optimize.coreml.OpPalettizerConfig:
    return ct.optimize.coreml.OpPalettizerConfig(
        mode="custom",
        lut_function=functools.partial(_palette, bits=precision.bits),
        granularity="per_grouped_channel" if precision.group_channels else "per_tensor",
        group_size=precision.group_channels or GROUP_CHANNELS,
        weight_threshold=COMPRESSED_WEIGHTS,
    )


def _palette(weights: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns a palette (2 ** bits,) and indices into it, by coremltools' own k-means, also of few weights."""
    # `mode="kmeans"` would take that of scikit-learn, another package, below 10,000 weights.
    palette, indices = quantization_utils._get_kmeans_lookup_table_and_weight(bits, weights, force_kmeans1d=True)
    return palette.astype(weights.dtype), indices.astype(np.uint8)


def _int8_threshold(model: ct.models.MLModel) -> int:
    """Returns the number of weights above which a tensor is quantized to int8."""
    tensors = ct.optimize.coreml.get_weights_metadata(model, weight_threshold=COMPRESSED_WEIGHTS).values()
    sizes = np.sort([tensor.val.size for tensor in tensors])
    small = sizes[sizes.cumsum() <= FLOAT16_FRACTION * sizes.sum()]
    return max([COMPRESSED_WEIGHTS, *small.tolist()])
