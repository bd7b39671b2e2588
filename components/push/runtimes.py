"""Answers one image by the runtime that a published file is for, at a number of threads, as a small server would.

Each runtime is imported and started by one call. What that call returns loads a file, and gives a function from
pixels, uint8 (1, height, width, 3), RGB, to the runtime's own form of the probabilities. A process starts one runtime:
TensorFlow takes a number of threads only once.
"""

from __future__ import annotations

import platform
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Answer = Callable[[np.ndarray], Any]


class Runtime(NamedTuple):
    """A started runtime."""

    name: str  # with its version
    load: Callable[[Path], Answer]


def is_timed(file: Path) -> bool:
    """Returns whether this machine has the runtime that a file is for: Core ML is part of Apple's systems alone."""
    return sys.platform == "darwin" or not _is_core_ml(file)


def thread_counts(file: Path, cores: int) -> tuple[int | None, ...]:
    """Returns the numbers of threads to run a file at: 1, and 2 where there are 2 cores. Core ML chooses by itself."""
    if _is_core_ml(file):
        return (None,)
    return (1, 2) if cores > 1 else (1,)


def start_runtime(file: Path, threads: int | None) -> Runtime:
    """Starts the runtime of a file: a folder that is a SavedModel, or a file for phones or for ONNX Runtime."""
    if threads is None:
        return _core_ml()
    starts = {".tflite": _litert, ".onnx": _onnx_runtime}
    return starts.get(file.suffix, _tensorflow)(threads)


def _is_core_ml(file: Path) -> bool:
    return file.suffix in (".mlpackage", ".mlmodel")


def _tensorflow(threads: int) -> Runtime:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.zeros(())  # starts it

    def load(version: Path) -> Answer:
        loaded = tf.saved_model.load(str(version))  # it holds the variables, so the function below holds it
        return lambda pixels: loaded.signatures["serving_default"](image=tf.constant(pixels))["probabilities"].numpy()

    return Runtime(f"TensorFlow {tf.__version__}", load)


def _litert(threads: int) -> Runtime:
    import tensorflow as tf

    def load(file: Path) -> Answer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # at every start it recommends its successor, another package
            interpreter = tf.lite.Interpreter(model_path=str(file), num_threads=threads)
        interpreter.allocate_tensors()
        image, probabilities = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

        def answer(pixels: np.ndarray) -> np.ndarray:
            interpreter.set_tensor(image["index"], pixels.astype(image["dtype"]))
            interpreter.invoke()
            return interpreter.get_tensor(probabilities["index"])

        return answer

    return Runtime(f"LiteRT of TensorFlow {tf.__version__}", load)


def _onnx_runtime(threads: int) -> Runtime:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1

    def load(file: Path) -> Answer:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda pixels: session.run(None, {name: pixels})

    return Runtime(f"ONNX Runtime {onnxruntime.__version__}", load)


def _core_ml() -> Runtime:
    """Starts Core ML, which only macOS has. This function was not run where it was written."""
    import coremltools as ct
    from PIL import Image

    def load(file: Path) -> Answer:
        model = ct.models.MLModel(str(file))
        return lambda pixels: model.predict({"image": Image.fromarray(pixels[0])})

    return Runtime(f"Core ML of macOS {platform.mac_ver()[0]}", load)
