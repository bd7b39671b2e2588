"""What a client of TensorFlow Serving sends and gets, in the messages of its own API."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse, SignatureDefMap
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from components.artifacts import Examples
from components.registry import pointers
from tests.components.train.helpers import images_and_labels
from tests.pipeline.demo.conftest import push_again

SERVER = shutil.which("tensorflow_model_server")
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def images(sample: Examples) -> np.ndarray:
    """uint8 (5, 32, 32, 3)"""
    return images_and_labels(sample, "test")[0][:5]


def request(signature: str, **inputs: object) -> PredictRequest:
    asked = PredictRequest()
    asked.model_spec.name = "classifier"
    asked.model_spec.signature_name = signature
    for name, value in inputs.items():
        asked.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return asked


def metadata(version: Path) -> SignatureDefMap:
    """As GetModelMetadata answers, through the wire format."""
    (graph,) = SavedModel.FromString((version / "saved_model.pb").read_bytes()).meta_graphs
    signatures = SignatureDefMap()
    for name, signature in graph.signature_def.items():
        signatures.signature_def[name].CopyFrom(signature)
    response = GetModelMetadataResponse()
    response.metadata["signature_def"].Pack(signatures)
    received = SignatureDefMap()
    assert GetModelMetadataResponse.FromString(response.SerializeToString()).metadata["signature_def"].Unpack(received)
    return received


def answer(version: Path, asked: PredictRequest) -> PredictResponse:
    """As a server answers: names and types as the signature says, and every output of it."""
    described = metadata(version).signature_def[asked.model_spec.signature_name]
    assert {name: tensor.dtype for name, tensor in asked.inputs.items()} == {
        name: info.dtype for name, info in described.inputs.items()
    }
    run = tf.saved_model.load(str(version)).signatures[asked.model_spec.signature_name]
    found = run(**{name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in asked.inputs.items()})
    assert found.keys() == described.outputs.keys()
    response = PredictResponse()
    for name, value in found.items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
    return PredictResponse.FromString(response.SerializeToString())


def shape(info: object) -> list[int]:
    return [dimension.size for dimension in info.tensor_shape.dim]  # type: ignore[attr-defined]


def test_the_metadata_says_what_clients_need(sample_root: Path) -> None:
    signatures = metadata(sample_root / "pushed" / "1").signature_def
    for name, given in (("serving_default", "image"), ("encoded", "image_bytes")):
        signature = signatures[name]
        assert signature.method_name == "tensorflow/serving/predict"
        assert list(signature.inputs) == [given]
        assert {key: tf.dtypes.as_dtype(info.dtype) for key, info in signature.outputs.items()} == {
            "probabilities": tf.float32, "class_id": tf.int64, "class_name": tf.string,
        }  # fmt: skip
        assert shape(signature.outputs["probabilities"]) == [-1, 10]
    image = signatures["serving_default"].inputs["image"]
    assert (tf.dtypes.as_dtype(image.dtype), shape(image)) == (tf.uint8, [-1, 32, 32, 3])


def test_a_predict_request_is_answered_for_pixels_and_for_files(
    sample_root: Path, sample: Examples, images: np.ndarray
) -> None:
    version = sample_root / "pushed" / "1"
    files = [tf.io.encode_png(image).numpy() for image in images]
    asked = (request("serving_default", image=images), request("encoded", image_bytes=files))
    pixels, encoded = (answer(version, each).outputs for each in asked)
    probabilities = tf.make_ndarray(pixels["probabilities"])
    np.testing.assert_allclose(tf.make_ndarray(encoded["probabilities"]), probabilities, atol=1e-5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert tf.make_ndarray(pixels["class_id"]).tolist() == probabilities.argmax(axis=1).tolist()
    names = [sample.class_names[index].encode() for index in probabilities.argmax(axis=1)]
    assert tf.make_ndarray(pixels["class_name"]).tolist() == names
    assert tf.make_ndarray(encoded["class_name"]).tolist() == names


@pytest.fixture
def server(sample_root: Path, tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """The folder that a TensorFlow Serving watches, and its port."""
    if SERVER is None:
        pytest.skip("tensorflow_model_server is not installed")
    shutil.copytree(sample_root / "pushed" / "1", tmp_path / "pushed" / "1")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    places = ["--model_name=classifier", f"--model_base_path={tmp_path / 'pushed'}", f"--port={port}"]
    process = subprocess.Popen([SERVER, *places, "--file_system_poll_wait_seconds=1"])
    yield tmp_path / "pushed", port
    process.terminate()
    process.wait()


def test_a_real_server_follows_a_push_and_a_rollback(server: tuple[Path, int], images: np.ndarray) -> None:
    import grpc
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    pushed, port = server
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        predict = PredictionServiceStub(channel).Predict

        def serves(version: int) -> None:
            asked = request("serving_default", image=images)
            asked.model_spec.version.value = version
            response = predict(asked, timeout=PATIENCE_SECONDS, wait_for_ready=True)
            expected = tf.make_ndarray(answer(pushed / str(version), asked).outputs["probabilities"])
            np.testing.assert_allclose(tf.make_ndarray(response.outputs["probabilities"]), expected, atol=1e-5)

        def latest_becomes(version: int) -> None:
            asked = request("serving_default", image=images)
            for _ in range(PATIENCE_SECONDS * 10):
                response = predict(asked, timeout=PATIENCE_SECONDS, wait_for_ready=True)
                if response.model_spec.version.value == version:
                    return
                time.sleep(0.1)
            raise AssertionError(f"version {version} is not served")

        latest_becomes(1)
        serves(1)
        push_again(pushed, "toy ")
        latest_becomes(2)
        pointers.roll_back(pushed)
        latest_becomes(1)
