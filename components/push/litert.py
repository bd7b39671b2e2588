"""Makes and runs LiteRT files (`.tflite`) for Android, with TensorFlow itself."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from components.component import ComponentError
from components.push.litert_metadata import LiteRTTexts, add_metadata, read_labels
from components.push.litert_rounding import round_weights

LiteRTVariant = Literal["litert", "litert_float16", "litert_int8"]


def save_litert(
    variant: LiteRTVariant, loaded: Any, texts: LiteRTTexts, file: Path, calibration_images: np.ndarray | None = None
) -> None:
    """Writes `file`, with the class names and how pixels are normalized inside, where Android's task libraries look.

    `loaded` is a SavedModel with the signature `pixels`. `calibration_images`, uint8 (n, height, width, 3), set the
    ranges of `litert_int8`, and how its weights are rounded.

    The file's input is float32 (1, height, width, 3), RGB, 0-255; its output is the probabilities, float32 (1,
    classes). Both are uint8 in `litert_int8`: pixels as they are, and probabilities times 256.

    Raises ComponentError if LiteRT has no such operations.
    """
    if variant == "litert_int8":
        if calibration_images is None:
            raise ComponentError("litert_int8 needs images of the training split, to find its ranges; none were given.")
        model = _integers(loaded, calibration_images)
    else:
        model = _floats(variant, loaded)
    file.write_bytes(add_metadata(model, texts))


def _floats(variant: LiteRTVariant, loaded: Any) -> bytes:
    converter = _converter(loaded)
    if variant != "litert":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant == "litert_float16":
        converter.target_spec.supported_types = [tf.float16]
    return _converted(converter, variant)


def _integers(loaded: Any, images: np.ndarray) -> bytes:
    converter = _converter(loaded)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _calibration(images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    return round_weights(_converted(converter, "litert_int8"), _floats("litert", loaded), images)


def _converter(loaded: Any) -> Any:
    """Returns a converter of the network for exactly one image: LiteRT in browsers refuses an open number of them."""
    pixels = loaded.signatures["pixels"]
    (image,) = pixels.structured_input_signature[1].values()
    network = tf.function(
        lambda image: pixels(image=image),
        input_signature=[tf.TensorSpec((1, *image.shape[1:]), image.dtype, "image")],
        autograph=False,
    )
    return tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()], loaded)


def _converted(converter: Any, variant: LiteRTVariant) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that statistics are missing for what holds no numbers, and the like
            return converter.convert()
    # The converter raises whatever its parts raise, C++ code included.
    except Exception as error:
        text = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ComponentError(
            f"LiteRT cannot take this network as {variant}: TensorFlow's converter said `{text}`. Leave the variant "
            "out of push.variants, or change the layer."
        ) from error


def _calibration(images: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Yields the images one by one. The first gets a black and a white corner: then pixels are stored as they are."""
    for index, image in enumerate(images):
        pixels = image[np.newaxis].astype(np.float32)
        if index == 0:
            pixels[0, 0, 0], pixels[0, -1, -1] = 0, 255
        yield [pixels]


def read_class_names(file: Path) -> tuple[str, ...]:
    """Reads the class names in a `.tflite`. Raises ComponentError if they are missing or no text."""
    try:
        return read_labels(file)
    except (KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise ComponentError(f"The labels in {file.name} cannot be read back: {error}. Push again.") from error


def run_litert(file: Path, images: np.ndarray) -> np.ndarray:
    """Predicts uint8 (n, height, width, 3) -> probabilities float32 (n, classes), in LiteRT's own interpreter.

    The images are predicted one by one, as on a phone.

    Raises ComponentError if LiteRT refuses the file.
    """
    try:
        return np.concatenate([*_run(file, images)])
    # What LiteRT raises of a damaged file, and of operations that do not run as they were converted.
    except (RuntimeError, ValueError) as error:
        raise ComponentError(
            f"LiteRT cannot run {file.name}: {str(error)[:300]}. Leave the variant out of push.variants, or change the "
            "layer."
        ) from error


def _run(file: Path, images: np.ndarray) -> Iterator[np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at every start it recommends its successor, another package
        interpreter = tf.lite.Interpreter(model_path=str(file))
    interpreter.allocate_tensors()
    image, probabilities = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    for pixels in images:
        interpreter.set_tensor(image["index"], _stored(pixels[np.newaxis], image))
        interpreter.invoke()
        yield _real(interpreter.get_tensor(probabilities["index"]), probabilities)


def _stored(pixels: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Returns pixels, 0-255, as the input holds them; LiteRT's quantization is real = scale * (stored - zero point)."""
    scale, zero_point = details["quantization"]
    if not scale:
        return pixels.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    return np.clip(np.rint(pixels / scale + zero_point), limits.min, limits.max).astype(details["dtype"])


def _real(stored: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    scale, zero_point = details["quantization"]
    return np.float32(scale) * (stored.astype(np.float32) - zero_point) if scale else stored
