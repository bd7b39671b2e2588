"""The requests that TensorFlow Serving asks itself before it serves a version, and the time that they may take."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from components.artifacts import Evaluation, Examples, Model
from components.component import ComponentError, Workspace
from components.push import Push, PushConfig
from components.push.warm_up import answer_warm_up, read_warm_up, write_warm_up
from components.registry.layout import WARM_UP


@pytest.fixture
def version(tmp_path: Path) -> Path:
    (tmp_path / WARM_UP).parent.mkdir()
    write_warm_up(tmp_path, 32, 48)
    return tmp_path


def test_there_is_a_request_for_each_serving_signature(version: Path) -> None:
    pixels, encoded = read_warm_up(version)
    assert (pixels.model_spec.signature_name, encoded.model_spec.signature_name) == ("serving_default", "encoded")
    image = tf.make_ndarray(pixels.inputs["image"])
    assert (image.dtype, image.shape) == (tf.uint8, (2, 32, 48, 3))


def test_the_files_of_one_batch_differ_in_size_and_format(version: Path) -> None:
    _, encoded = read_warm_up(version)
    files = tf.make_ndarray(encoded.inputs["image_bytes"])
    assert [bytes(file[:4]) for file in files] == [b"\xff\xd8\xff\xe0", b"\x89PNG"]
    assert [tf.io.decode_image(file).shape.as_list() for file in files] == [[480, 640, 3], [640, 480, 3]]


def test_the_same_model_has_the_same_file(version: Path) -> None:
    before = (version / WARM_UP).read_bytes()
    write_warm_up(version, 32, 48)
    assert (version / WARM_UP).read_bytes() == before


def test_a_model_answers_its_own_requests(model: Model, tmp_path: Path) -> None:
    (tmp_path / WARM_UP).parent.mkdir()
    write_warm_up(tmp_path, model.image_height, model.image_width)
    loaded = tf.saved_model.load(str(model.saved_model))
    assert answer_warm_up(tmp_path, loaded.signatures) == 2


def test_a_version_that_does_not_answer_in_time_is_not_published(
    workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation
) -> None:
    said = r"did not answer its first requests within 0\.01 seconds .*Nothing was published; .*saved_model\.txt says"
    with pytest.raises(ComponentError, match=said):
        Push(PushConfig(variants=(), max_start_seconds=0.01)).run(workspace, tiny, model, evaluation)
    assert {path.name for path in (workspace.root / "pushed").iterdir()} <= {".lock"}
    assert "fresh_process.py" in (workspace.folder / "logs" / "saved_model.txt").read_text()


def test_the_time_limit_is_no_part_of_what_is_published() -> None:
    assert Push(PushConfig()).identity() == Push(PushConfig(max_start_seconds=1)).identity()
