"""Makes and runs LiteRT files (`.tflite`) for Android, with TensorFlow itself."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from components.component import ComponentError
from components.push.batches import batches


def save_litert(loaded: Any, class_names: tuple[str, ...], file: Path) -> None:
    """Writes `file`, and the class names beside it, one a line: TensorFlow writes no class names into LiteRT files.

    `loaded` is a SavedModel with the signature `pixels`.

    The file's input is float32 (n, height, width, 3), RGB, 0-255; its output is the probabilities, float32 (n,
    classes).
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([loaded.signatures["pixels"]], loaded)
    file.write_bytes(converter.convert())
    labels_file(file).write_bytes("".join(f"{name}\n" for name in class_names).encode())


def labels_file(file: Path) -> Path:
    """Returns the path of the class names of a `.tflite`, one a line, in UTF-8."""
    return file.with_suffix(".labels.txt")


def read_labels(file: Path) -> tuple[str, ...]:
    """Reads the class names that were saved beside a `.tflite`.

    Raises ComponentError if they are missing or no text.
    """
    labels = labels_file(file)
    try:
        return tuple(labels.read_bytes().decode().removesuffix("\n").split("\n"))
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise ComponentError(f"{labels.name} cannot be read back: {error}. Push again.") from error


def run_litert(file: Path, images: np.ndarray) -> np.ndarray:
    """Predicts uint8 (n, height, width, 3) -> probabilities float32 (n, classes), in LiteRT's own interpreter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at every start it recommends its successor, another package
        interpreter = tf.lite.Interpreter(model_path=str(file))
    image, probabilities = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    outputs = []
    for batch in batches(images):
        interpreter.resize_tensor_input(image, batch.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(image, batch.astype(np.float32))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(probabilities))
    return np.concatenate(outputs)
