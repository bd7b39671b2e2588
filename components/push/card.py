"""Defines the model card: what each published file is, how large and how fast it is, and how well it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from components.artifacts import Document
from components.push.calibration import Calibration
from components.push.comparison import Comparison
from components.push.measurement import Machine, Measurement
from components.registry.layout import MODEL_CARD


class Row(Document):
    """One published file, and its comparison with the evaluated model on images of the test split."""

    file: str
    variant: str  # "saved_model", or as in the config
    bytes: int
    size_over_float32: float  # size divided by 4 bytes for each parameter
    weights: str  # precision
    activations: str
    calibration: Calibration | None = None  # only for files that compute with integers
    opset: int | None = None  # only for ONNX files: the version of ONNX's operators that they need
    comparison: Comparison
    measurement: Measurement | None = None  # none in older cards, and of Core ML files unless a Mac pushed them


class Preprocessing(Document):
    """The steps that turn a photo into the model's input, in this order.

    `components/images/resize.py` and a Vision request both take them.
    """

    orientation: Literal["upright"] = "upright"  # turned as EXIF says; a HEIC file as its container says
    # Converted by the file's ICC profile. The signature `encoded` cannot do that: it takes all colors as sRGB.
    color_space: Literal["sRGB"] = "sRGB"
    background: Literal["white"] = "white"  # under transparent pixels
    # As in VNImageCropAndScaleOption: the largest centered window of the input's aspect ratio, scaled to the input.
    crop_and_scale: Literal["centerCrop"] = "centerCrop"
    resampling: Literal["bilinear, antialiased"] = "bilinear, antialiased"
    pixels: Literal["RGB, 0-255"] = "RGB, 0-255"


class ModelCard(Document):
    """The facts about a version that a developer or a report needs."""

    class_names: tuple[str, ...]
    # The classes as a caption names them, "an airplane", in the same order; none in older cards.
    caption_nouns: tuple[str, ...] = ()
    image_height: int
    image_width: int
    preprocessing: Preprocessing = Preprocessing()
    parameter_count: int
    confidence: float | None = None  # below it a caption names no class; above 1 none ever does: `artifacts.Caption`
    caption_precision: float | None = None  # the precision that `confidence` was chosen for
    test_images: int | None = None  # in the test split; files are compared on all, or on some drawn evenly over it
    operations_per_image: int  # floating-point additions and multiplications, estimated by TensorFlow's profiler
    machine: Machine | None = None  # where the files were measured; none in older cards
    files: tuple[Row, ...]


def write_card(card: ModelCard, version: Path) -> None:
    """Writes the model card into a version's folder."""
    (version / MODEL_CARD).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_card(version: Path) -> ModelCard:
    """Reads the model card of a version. Raises FileNotFoundError if there is none."""
    return ModelCard.model_validate(json.loads((version / MODEL_CARD).read_bytes()))


def size_bytes(path: Path) -> int:
    """Returns the size of a file, or of all files in a folder, in bytes."""
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())


def operations_per_image(pixels: Any, height: int, width: int) -> int:
    """Returns the floating-point operations of the model's signature `pixels` for one image."""
    one_image = tf.TensorSpec((1, height, width, 3), tf.float32)
    function = tf.function(pixels, autograph=False).get_concrete_function(image=one_image)
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    graph = convert_variables_to_constants_v2(function).graph
    return int(tf.compat.v1.profiler.profile(graph, options=options).total_float_ops)
