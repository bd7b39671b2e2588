"""Makes ONNX files (`.onnx`) for servers and engines other than TensorFlow, and runs them in ONNX Runtime."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from components.component import ComponentError
from components.push import PushConfig
from components.push.batches import batches
from components.push.card import Preprocessing
from components.push.comparison import require_classes
from components.push.coreml import Source

# Of July 2021, and the one that tf2onnx prefers: later ones hold nothing that our networks need, and fewer engines
# know them.
OPSET = 15
OUTPUTS = ("probabilities", "class_id")  # in this order: many clients take the first
MAX_BYTES = 2**31 - 1  # of a Protocol Buffers message; larger weights would be files of their own
NORMALIZATION = "inside the graph: the input is pixels as they are, 0 to 255"
TENSORFLOW_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
ADVICE = "Leave the variant onnx out of push.variants, or change the layer."
FATAL = 4  # a severity of ONNX Runtime's log: what it refuses, it raises as well


def save_onnx(source: Source, config: PushConfig, file: Path) -> None:
    """Writes `file`: the network with its weights, and what the file says of itself, in its metadata.

    The file's input `image` is uint8 (n, height, width, 3), RGB, 0-255. Its outputs are `probabilities`, float32 (n,
    classes), and `class_id`, int64 (n,), the index of the most probable class. n is free.

    Raises ComponentError if ONNX has no such operations, the network is larger than one file can be, or the disk holds
    other bytes than were written.
    """
    model = _converted(source)
    _arrange(model.graph)
    _describe(model, source, config)
    _require_valid(model)
    written = model.SerializeToString()
    file.write_bytes(written)
    if file.read_bytes() != written:
        raise ComponentError(
            f"{file.name} was written, but reads back otherwise: is the disk full or failing? Push again."
        )


def run_onnx(file: Path, images: np.ndarray, class_names: tuple[str, ...]) -> np.ndarray:
    """Predicts uint8 (n, height, width, 3) -> probabilities float32 (n, classes), in ONNX Runtime, of the saved file.

    Raises ComponentError if the file names other classes, ONNX Runtime refuses it, or its two outputs contradict.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL
    with _refused_as(f"ONNX Runtime cannot run {file.name}"):
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    require_classes(file.name, _class_names(file.name, session), class_names)
    with _refused_as(f"ONNX Runtime cannot run {file.name}"):
        answers = [session.run(list(OUTPUTS), {"image": batch}) for batch in batches(images)]
    probabilities, class_id = (np.concatenate(each) for each in zip(*answers, strict=True))
    _require_consistent(file.name, probabilities, class_id)
    return probabilities


def _converted(source: Source) -> Any:
    """Returns the ONNX model of the signature `pixels`, with the input and the outputs that the file has."""
    function = source.loaded.signatures["pixels"]
    _require_small(function)
    tf2onnx = _imported_tf2onnx()
    # Frozen first: tf2onnx would make inputs of constants that the function has captured.
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)

    def answer(image: tf.Tensor) -> dict[str, tf.Tensor]:
        (probabilities,) = frozen(tf.cast(image, tf.float32))
        return {"probabilities": probabilities, "class_id": tf.argmax(probabilities, axis=-1)}

    image = tf.TensorSpec((None, source.height, source.width, 3), tf.uint8, "image")
    with _refused_as("ONNX cannot take this network"):
        model, _ = tf2onnx.convert.from_function(tf.function(answer, autograph=False), [image], opset=OPSET)
    return model


def _require_small(function: Any) -> None:
    size = sum(variable.shape.num_elements() * variable.dtype.size for variable in function.variables)
    if size > MAX_BYTES:
        raise ComponentError(
            f"The network's weights are {size:,} bytes, and an ONNX file holds at most {MAX_BYTES:,}. Weights in files "
            "of their own (external data) are not supported: leave the variant onnx out of push.variants."
        )


def _imported_tf2onnx() -> Any:
    """Imports it without its log, and without the environment by which it silences programs that start later."""
    level = os.environ.get(TENSORFLOW_LOG_LEVEL)
    import tf2onnx.convert

    if level is None:
        os.environ.pop(TENSORFLOW_LOG_LEVEL, None)
    else:
        os.environ[TENSORFLOW_LOG_LEVEL] = level
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    return tf2onnx


def _arrange(graph: Any) -> None:
    """Puts the outputs in order, and calls the free dimension n everywhere: tf2onnx gives each a number."""
    outputs = {output.name: output for output in graph.output}
    ordered = [type(output).FromString(output.SerializeToString()) for output in map(outputs.__getitem__, OUTPUTS)]
    del graph.output[:]
    graph.output.extend(ordered)
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"


def _describe(model: Any, source: Source, config: PushConfig) -> None:
    """Writes the metadata, under the names that ONNX has set for them where there are such."""
    import onnx

    model.graph.name, model.doc_string = "Classifier", source.description
    texts = {
        "class_names": json.dumps(source.class_names, ensure_ascii=False),
        "image_height": str(source.height),
        "image_width": str(source.width),
        "normalization": NORMALIZATION,
        "preprocessing": Preprocessing().model_dump_json(),
        "version": source.version,
        "model_author": config.author,
        "model_license": config.license,
        "Image.BitmapPixelFormat": "Rgb8",
        "Image.ColorSpaceGamma": "SRGB",
        "Image.NominalPixelRange": "NominalRange_0_255",
        **source.metadata,
    }
    onnx.helper.set_model_props(model, texts)


def _require_valid(model: Any) -> None:
    """Raises ComponentError for what tf2onnx left as it was, in TensorFlow's words, and what breaks ONNX's rules."""
    import onnx

    left = sorted({node.op_type for node in model.graph.node if not onnx.defs.has(node.op_type, node.domain)})
    if left:
        raise ComponentError(
            f"ONNX cannot take this network: tf2onnx knows no way to write {', '.join(left)}. {ADVICE}"
        )
    with _refused_as("ONNX cannot take this network"):
        onnx.checker.check_model(model, full_check=True)


def _class_names(file: str, session: Any) -> tuple[str, ...]:
    try:
        return tuple(json.loads(session.get_modelmeta().custom_metadata_map["class_names"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ComponentError(f"The class names in {file} cannot be read back: {error}. Push again.") from error


def _require_consistent(file: str, probabilities: np.ndarray, class_id: np.ndarray) -> None:
    numbers = np.isfinite(probabilities).all(axis=1)  # others are refused for what they are
    if wrong := int((class_id != probabilities.argmax(1))[numbers].sum()):
        raise ComponentError(
            f"{file}: class_id is not that of the most probable class for {wrong} of {len(class_id)} images. Nothing "
            "was published: report the conversion."
        )


@contextlib.contextmanager
def _refused_as(what: str) -> Iterator[None]:
    """Turns any error into a refusal: converter, checker and runtime raise whatever their parts do, C++ included."""
    try:
        yield
    except Exception as error:
        text = (" ".join(str(error).split()) or type(error).__name__)[:300]
        raise ComponentError(f"{what}: `{text}`. {ADVICE}") from error
