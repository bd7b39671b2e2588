"""Says how each published file is used: a sentence and a few lines of code, for the card that people read."""

from __future__ import annotations

from typing import NamedTuple

from components.push.card import Row

_PYTHON = """import tensorflow as tf

model = tf.saved_model.load("path/to/this/version")
with open("photo.jpg", "rb") as photo:
    answer = model.signatures["encoded"](image_bytes=tf.constant([photo.read()]))
print(answer["class_name"].numpy(), answer["probabilities"].numpy())"""
_SWIFT = """let model = try VNCoreMLModel(for: {name}(configuration: MLModelConfiguration()).model)
let request = VNCoreMLRequest(model: model)
request.imageCropAndScaleOption = .centerCrop"""
_KOTLIN = """val options = ImageClassifier.ImageClassifierOptions.builder()
    .setBaseOptions(BaseOptions.builder().setModelAssetPath("{file}").build())
    .build()
val classifier = ImageClassifier.createFromOptions(context, options)"""
_ONNX = """import json

import onnxruntime

session = onnxruntime.InferenceSession("{file}")
class_names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
probabilities, class_id = session.run(None, {{"image": pixels}})  # uint8 (n, height, width, 3), RGB
print(class_names[class_id[0]], probabilities[0].max())"""


# Core ML programs with compressed weights are written for iOS 16 at least, whatever `push.deployment_target` says.
_COMPRESSED = ("int8", "palettized8", "palettized6", "palettized4", "pruned", "smallest")


class Use(NamedTuple):
    """The use of one file."""

    sentences: str
    language: str = ""  # of the code
    code: str = ""


def how_to_use(row: Row, deployment_target: str) -> Use:
    """Returns the use of a published file; `deployment_target` is such as "iOS15"."""
    name, _, kind = row.file.partition(".")
    if row.variant == "saved_model":
        return Use(
            "The folder itself, for TensorFlow Serving, KServe and Python. The signature encoded takes the bytes of "
            "JPEG, PNG, GIF and BMP files of any size, serving_default takes pixels.",
            "python",
            _PYTHON,
        )
    if kind in ("mlpackage", "mlmodel"):
        oldest = max(deployment_target, "iOS16") if row.variant in _COMPRESSED else deployment_target
        newer = f"iOS {oldest.removeprefix('iOS')} and newer, and Macs"
        served = newer if kind == "mlpackage" else "older iPhones too"
        sentences = f"For {served}: drag it into a project in Xcode. Vision crops and scales photos, and turns them."
        return Use(sentences, "swift", _SWIFT.format(name=name))
    if kind == "tflite":
        taken = "uint8" if row.variant == "litert_int8" else "float32"
        sentences = f"For Android and others, in MediaPipe's tasks or in LiteRT. It takes {taken} pixels, 0 to 255."
        return Use(sentences, "kotlin", _KOTLIN.format(file=row.file))
    if kind == "onnx":
        return Use(
            f"For ONNX Runtime and what else reads ONNX, from operator set {row.opset} on. It takes uint8 pixels, 0 to "
            "255, and any number of images at once. The names of the classes are in its metadata.",
            "python",
            _ONNX.format(file=row.file),
        )
    return Use("The documentation of the signatures says what it takes and gives.")
