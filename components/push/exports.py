"""Makes and runs the files beside the SavedModel, and lists their names and precisions."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.component import ComponentError
from components.push import PushConfig, Variant
from components.push.batches import batches
from components.push.comparison import require_classes
from components.push.coreml import CoreMLConverter, Source
from components.push.executor import Executor, Graph
from components.push.litert import read_class_names, run_litert, save_litert
from components.push.litert_metadata import LiteRTTexts
from components.push.mlprogram import read_mlprogram
from components.push.neuralnetwork import read_neuralnetwork
from components.push.onnx_file import OPSET, run_onnx, save_onnx
from components.push.smallest import SearchImages


@dataclass(frozen=True)
class Kind:
    """One kind of exported file: its name and precisions, and how it is verified."""

    file: str
    weights: str  # precision
    activations: str
    lossless: bool  # equal to the model up to rounding; a file that is not is verified by its accuracy
    calibrated: bool = False  # whether images of the training split set the ranges of its values
    opset: int | None = None  # the version of ONNX's operators that the file needs


KINDS: dict[Variant, Kind] = {
    "float16": Kind("Classifier.mlpackage", "float16", "float16", lossless=True),
    "float32": Kind("Classifier_float32.mlpackage", "float32", "float32", lossless=True),
    "int8": Kind("Classifier_int8.mlpackage", "int8", "float16", lossless=False),
    "palettized8": Kind("Classifier_palettized8.mlpackage", "palette of 8 bits", "float16", lossless=False),
    "palettized6": Kind("Classifier_palettized6.mlpackage", "palette of 6 bits", "float16", lossless=False),
    "palettized4": Kind("Classifier_palettized4.mlpackage", "palette of 4 bits", "float16", lossless=False),
    "palettized4_grouped": Kind(
        "Classifier_palettized4_grouped.mlpackage", "palettes of 4 bits, by 8 channels", "float16", lossless=False
    ),
    "int8_activations": Kind("Classifier_int8_activations.mlpackage", "int8", "int8", lossless=False, calibrated=True),
    "pruned": Kind("Classifier_pruned.mlpackage", "sparse float16", "float16", lossless=False),
    "smallest": Kind("Classifier_smallest.mlpackage", "as searched", "float16", lossless=False),
    "neuralnetwork": Kind("Classifier_neuralnetwork.mlmodel", "float32", "as the phone likes", lossless=True),
    "neuralnetwork_float16": Kind(
        "Classifier_neuralnetwork_float16.mlmodel", "float16", "as the phone likes", lossless=True
    ),
    "litert": Kind("Classifier.tflite", "float32", "float32", lossless=True),
    "litert_float16": Kind("Classifier_float16.tflite", "float16", "float32", lossless=True),
    "litert_int8": Kind("Classifier_int8.tflite", "int8", "int8", lossless=False, calibrated=True),
    "onnx": Kind("Classifier.onnx", "float32", "float32", lossless=True, opset=OPSET),
}


class Exporter:
    """A maker of the exported files of one model."""

    def __init__(
        self,
        source: Source,
        config: PushConfig,
        calibration_images: np.ndarray | None = None,
        search_images: SearchImages | None = None,
    ) -> None:
        """Takes what files are made of; `calibration_images`, uint8 (n, height, width, 3), for calibrated variants.

        Without `search_images`, the variant `smallest` is searched on the calibration images.
        """
        self._source, self._config, self._calibration_images = source, config, calibration_images
        self._coreml = CoreMLConverter(source, config, calibration_images, search_images)
        self._texts = LiteRTTexts(
            source.class_names, source.description, source.version, author=config.author, license=config.license
        )

    def save(self, variant: Variant, folder: Path) -> Path:
        """Writes the variant's file into `folder`. Raises ComponentError if it cannot be made."""
        file = folder / KINDS[variant].file
        if variant == "litert" or variant == "litert_float16" or variant == "litert_int8":
            save_litert(variant, self._source.loaded, self._texts, file, self._calibration_images)
        elif variant == "onnx":
            save_onnx(self._source, self._config, file)
        else:
            self._coreml.save(variant, file)
        return file

    def weights(self, variant: Variant) -> str:
        """Returns the precision of the variant's weights; of `smallest`, those of the file that was saved last."""
        return self._coreml.smallest_weights if variant == "smallest" else KINDS[variant].weights

    def allow_less(self, variant: Variant) -> bool:
        """Lets the variant's next file lose less accuracy; returns whether that is possible: of `smallest` only."""
        return variant == "smallest" and self._coreml.allow_less()

    def costliest(self, variant: Variant, file: Path, images: np.ndarray) -> str | None:
        """Returns which tensor of a compressed Core ML file moves the probabilities most, alone; None for others."""
        if file.suffix != ".mlpackage":
            return None
        tensor = self._coreml.costliest(variant, file, images)
        return None if tensor is None else str(tensor)


def predict(file: Path, images: np.ndarray, class_names: tuple[str, ...]) -> np.ndarray:
    """Returns the saved file's predictions for uint8 images (n, height, width, 3), RGB.

    Core ML files run in Core ML on macOS, and in the reference executor elsewhere.

    Returns:
        probabilities float32 (n, classes), in the order of `class_names`.

    Raises:
        ComponentError: the file names other classes, or holds an operation that the executor does not know.
    """
    if file.suffix == ".tflite":
        require_classes(file.name, read_class_names(file), class_names)
        return run_litert(file, images)
    if file.suffix == ".onnx":
        return run_onnx(file, images, class_names)
    if sys.platform == "darwin":
        from components.push.macos import run_coreml

        return run_coreml(file, images, class_names)
    graph = _read(file)
    require_classes(file.name, graph.class_names, class_names)
    if (graph.height, graph.width) != images.shape[1:3]:
        raise ComponentError(
            f"{file.name} takes images of {graph.height} x {graph.width} pixels (height x width); "
            f"the model's are {images.shape[1]} x {images.shape[2]}."
        )
    executor = Executor(graph)
    return np.concatenate([executor(batch) for batch in batches(images)])


def _read(file: Path) -> Graph:
    try:
        return read_neuralnetwork(file) if file.suffix == ".mlmodel" else read_mlprogram(file)
    except ComponentError:
        raise
    # For damaged files the loader raises whatever its parts raise, including C++ code.
    except Exception as error:
        raise ComponentError(
            f"{file.name} cannot be read back: {type(error).__name__}: {error}. Push again."
        ) from error
