"""The code of the page on ONNX Runtime, run as it is printed: it says what the SavedModel says of the same photo."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.push import PushConfig
from components.push.coreml import Source
from components.push.onnx_file import save_onnx
from tests.components.push.networks import Linear, save

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "serve-onnx.md"
CLASSES = ("Kätzchen", "猫", "dog")


def test_the_printed_code_classifies_a_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = tmp_path / "pipeline_output" / "pushed" / "latest"
    save(Linear(3), CLASSES, version)
    (version / "assets.extra").mkdir()
    loaded = tf.saved_model.load(str(version))
    source = Source(loaded, 32, 32, CLASSES, version="1", description="", metadata={})
    save_onnx(source, PushConfig(), version / "assets.extra" / "Classifier.onnx")
    pixels = np.random.default_rng(0).integers(0, 200, (6, 8, 3), np.uint8)
    photo = Image.fromarray(pixels).resize((640, 480), Image.Resampling.BICUBIC)
    photo.save(tmp_path / "frog.jpg", exif=_turned())
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(textwrap.dedent(block), "serve-onnx.md", "exec"), {})
    name, probability = capsys.readouterr().out.split()
    said = loaded.signatures["encoded"](image_bytes=tf.constant([(tmp_path / "frog.jpg").read_bytes()]))
    assert name == said["class_name"].numpy()[0].decode()
    assert float(probability) == pytest.approx(said["probabilities"].numpy().max(), abs=0.02)


def _turned() -> Image.Exif:
    """What a camera writes that was held upright."""
    exif = Image.Exif()
    exif[274] = 6
    return exif
