"""Writes the requests by which TensorFlow Serving warms a version up before it serves it, and answers them here.

Without them, the first request after a push waits until TensorFlow has optimized the graph. The images are made up: no
photo is published by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from components.registry.layout import WARM_UP

GRAY = 128
# As photos are: wide and high, larger than the input, in both of the formats that most photos have.
SHAPES = ((480, 640, 3), (640, 480, 3))


def write_warm_up(version: Path, height: int, width: int) -> None:
    """Writes one request for each serving signature of a model with inputs of height x width pixels.

    That of `encoded` is a batch of files of different sizes and formats.
    """
    wide, high = (np.full(shape, GRAY, np.uint8) for shape in SHAPES)
    files = [tf.io.encode_jpeg(wide).numpy(), tf.io.encode_png(high).numpy()]
    requests = (
        _request("serving_default", "image", np.full((2, height, width, 3), GRAY, np.uint8)),
        _request("encoded", "image_bytes", files),
    )
    with tf.io.TFRecordWriter(str(version / WARM_UP)) as writer:
        for request in requests:
            log = PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString(deterministic=True))


def _request(signature: str, name: str, value: Any) -> PredictRequest:
    request = PredictRequest()
    request.model_spec.signature_name = signature  # the model's name is the server's business
    request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def read_warm_up(version: Path) -> Iterator[PredictRequest]:
    """Yields the requests of a version. Raises tf.errors.NotFoundError if there is no such file."""
    for record in tf.data.TFRecordDataset(str(version / WARM_UP)).as_numpy_iterator():
        yield PredictionLog.FromString(record).predict_log.request


def answer_warm_up(version: Path, signatures: Mapping[str, Any]) -> int:
    """Answers the requests of a version with its loaded signatures, as a server does. Returns their number."""
    count = 0
    for count, request in enumerate(read_warm_up(version), start=1):  # noqa: B007
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        signatures[request.model_spec.signature_name](**inputs)
    return count
