"""The server of the example, asked as a client asks it."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from components.artifacts import Examples
from tests.components.train.helpers import images_and_labels

SERVE = Path(__file__).parents[2] / "examples" / "uvicorn" / "serve.py"
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def serve() -> ModuleType:
    spec = importlib.util.spec_from_file_location("serve", SERVE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def client(serve: ModuleType, sample_root: Path) -> Iterator[TestClient]:
    with TestClient(serve.make_app(sample_root / "pushed" / "latest")) as client:
        yield client


def image_file(pixels: np.ndarray, format_: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_)
    return file.getvalue()


def test_it_says_which_version_it_serves(client: TestClient) -> None:
    assert client.get("/health").json() == {"version": "1"}


def test_photos_of_any_size_are_classified(client: TestClient, sample: Examples) -> None:
    small = images_and_labels(sample, "test")[0][0]
    large = np.kron(small, np.ones((9, 12, 1), np.uint8))
    files = (image_file(small), image_file(small, "BMP"), image_file(large))
    answers = [client.post("/classify", content=file).json() for file in files]
    for answer in answers:
        assert answer["class_name"] in sample.class_names
        assert answer["named"] in (None, f"a {answer['class_name']}", f"an {answer['class_name']}")
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"", 415, "no image"),
        (b"GIF89a", 415, "no image"),
        (b"<svg/>", 415, "JPEG, PNG, GIF, BMP"),
        (image_file(np.zeros((64, 64, 3), np.uint8), "TIFF"), 415, "no image"),
        (image_file(NOISE, "JPEG")[:2000], 400, "damaged"),
        (image_file(np.zeros((9000, 9000), np.uint8)), 413, "9000 x 9000"),
    ],
    ids=["empty", "header only", "svg", "tiff", "cut off", "huge"],
)
def test_what_cannot_be_classified_is_refused(client: TestClient, body: bytes, code: int, said: str) -> None:
    answer = client.post("/classify", content=body)
    assert answer.status_code == code
    assert said in answer.json()["error"]


def test_a_long_body_is_refused(client: TestClient, serve: ModuleType) -> None:
    assert client.post("/classify", content=bytes(serve.MOST_BYTES + 1)).status_code == 413
