"""Makes an ML program compute with activations in int8, whose ranges were measured on images, not on a Mac.

coremltools' own `linear_quantize_activations` finds the ranges by running the model in Core ML, which only macOS has.
Its passes take any ranges: here the reference executor measures them.
"""

from __future__ import annotations

from pathlib import Path

import coremltools as ct
import numpy as np
from coremltools.converters.mil.mil.passes.graph_pass import PassOption
from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY
from coremltools.models.utils import _apply_graph_pass

from components.push.executor import Executor
from components.push.mlprogram import read_mlprogram

PAIRS = ("compression::insert_prefix_quantize_dequantize_pair", "compression::insert_suffix_quantize_dequantize_pair")


def quantize_activations(model: ct.models.MLModel, images: np.ndarray) -> ct.models.MLModel:
    """Returns the float model with inputs and outputs of convolutions, poolings and sums in int8, for iOS 17.

    `images`, uint8 (n, height, width, 3), set one symmetric range for each tensor.
    """
    ranges = Executor(read_mlprogram(Path(model.package_path))).ranges(images)
    statistics = {name: {"rmin": least, "rmax": most} for name, (least, most) in ranges.items()}
    quantizer = ct.optimize.coreml.OpLinearQuantizerConfig(mode="linear_symmetric")
    options = [
        PassOption("config", ct.optimize.coreml.OptimizationConfig(quantizer)),
        PassOption("activation_stats", statistics),
    ]
    passes = [PASS_REGISTRY[name] for name in PAIRS]
    for each in passes:
        each.set_options(options)
    passes.append(PASS_REGISTRY["common::dequantize_quantize_pair_elimination"])
    return _apply_graph_pass(model, passes, spec_version=ct.target.iOS17.value, skip_model_load=True)
