"""The clients that take what push publishes, each asked about the same photos."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.push.evaluated_images import EvaluatedImages
from components.registry.layout import EXTRA, MODEL_CARD, pushed_folder

Probabilities = NDArray[np.float32]  # (n, classes)
SAVED_MODEL, LITERT_FILE = "saved_model", "Classifier.tflite"


class NotAtHandError(Exception):
    """A client that cannot be asked here. The text says what it needs."""


class Answered(NamedTuple):
    """What a client answered."""

    client: str  # with its version
    file: str
    probabilities: Probabilities


@dataclass(frozen=True)
class Task:
    """A published version, and the photos that every client is asked about."""

    version: Path
    evaluated: EvaluatedImages
    photos: tuple[Path, ...]  # the same images as files

    @cached_property
    def card(self) -> dict[str, Any]:
        """The version's model card."""
        return json.loads((self.version / MODEL_CARD).read_bytes())

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of the probabilities."""
        return tuple(self.card["class_names"])

    def files(self, *suffixes: str) -> list[Path]:
        """Returns the version's files that end so. Raises NotAtHandError if there are none."""
        files = [self.version / EXTRA / row["file"] for row in self.card["files"]]
        if found := [file for file in files if file.suffix in suffixes]:
            return found
        raise NotAtHandError(f"the version has no {' or '.join(suffixes)}: see push.variants")


def served_model(task: Task) -> Iterator[Answered]:
    """Asks the SavedModel as `pipeline.predict` and the chat's server do, photo by photo."""
    import tensorflow as tf

    from pipeline.predict.served import load

    model = load(task.version)
    predictions = [model.predict(model.read(photo)).probabilities for photo in task.photos]
    answers = [[each[name] for name in task.class_names] for each in predictions]
    yield Answered(f"TensorFlow {tf.__version__}", SAVED_MODEL, np.array(answers, np.float32))


def litert(task: Task) -> Iterator[Answered]:
    """Asks LiteRT's interpreter, as push's proof does."""
    import tensorflow as tf

    return _proven(task, f"LiteRT of TensorFlow {tf.__version__}", ".tflite")


def onnx_runtime(task: Task) -> Iterator[Answered]:
    """Asks ONNX Runtime, as push's proof does."""
    import onnxruntime

    return _proven(task, f"ONNX Runtime {onnxruntime.__version__}", ".onnx")


def core_ml(task: Task) -> Iterator[Answered]:
    """Asks Core ML on a Mac, and the reference executor elsewhere, as push's proof does."""
    name = "Core ML" if sys.platform == "darwin" else "the reference executor of Core ML files"
    return _proven(task, name, ".mlpackage", ".mlmodel")


def _proven(task: Task, client: str, *suffixes: str) -> Iterator[Answered]:
    from components.push.exports import predict

    for file in task.files(*suffixes):
        yield Answered(client, file.name, predict(file, task.evaluated.images, task.class_names))


def mediapipe_in_python(task: Task) -> Iterator[Answered]:
    """Asks MediaPipe's image classifier in the Python that MEDIAPIPE names."""
    from benchmarks.client_programs.python_mediapipe import PYTHON, classify

    if PYTHON is None:
        raise NotAtHandError("MEDIAPIPE names no Python that has it: `make test-mediapipe` makes one")
    for file in task.files(".tflite"):
        version, probabilities = classify(file, task.photos, task.class_names)
        yield Answered(f"MediaPipe {version} in Python", file.name, probabilities)


def mediapipe_in_chromium(task: Task) -> Iterator[Answered]:
    """Asks MediaPipe's image classifier in a page."""
    from benchmarks.client_programs.chromium import MEDIAPIPE, PACKAGES, MediaPipePage, chromium

    _require_browser()
    if not (PACKAGES / MEDIAPIPE).is_dir():
        raise NotAtHandError("its package is not here: `make test-mediapipe` fetches it")
    files = task.files(".tflite")
    with chromium() as browser:
        page = MediaPipePage(browser)
        for file in files:
            probabilities = page.classify(file, task.photos, task.class_names)
            yield Answered(f"MediaPipe {page.version} in Chromium {browser.version}", file.name, probabilities)


def chat_in_chromium(task: Task) -> Iterator[Answered]:
    """Asks the chat, in a page that captions photos on the device with LiteRT.js."""
    from benchmarks.client_programs.chromium import chromium, classify_in_chat
    from benchmarks.demo import server
    from pipeline.demo.__main__ import PACKAGES

    package = PACKAGES / "node_modules" / "@litertjs" / "core" / "package.json"
    _require_browser()
    if not package.is_file():
        raise NotAtHandError("LiteRT.js is not here: `make on-device` fetches it")
    if LITERT_FILE not in {file.name for file in task.files(".tflite")}:
        raise NotAtHandError("the version has no litert: see push.variants")
    name = f"LiteRT.js {json.loads(package.read_bytes())['version']} in Chromium"
    with _alone(task.version) as root, server(root) as address, chromium() as browser:
        probabilities = classify_in_chat(browser, f"http://{address}/", task.photos)
        yield Answered(f"{name} {browser.version}", LITERT_FILE, probabilities)


def _require_browser() -> None:
    from benchmarks.client_programs.chromium import CHROMIUM

    if CHROMIUM is None:
        raise NotAtHandError("no Chromium is installed")


@contextmanager
def _alone(version: Path) -> Iterator[Path]:
    """A pipeline root that has this version only, which the chat then serves."""
    with tempfile.TemporaryDirectory() as folder:
        pushed = pushed_folder(Path(folder))
        pushed.mkdir()
        (pushed / version.name).symlink_to(version.absolute())
        yield Path(folder)


CLIENTS: Mapping[str, Callable[[Task], Iterator[Answered]]] = {
    "TensorFlow": served_model,
    "LiteRT": litert,
    "ONNX Runtime": onnx_runtime,
    "Core ML": core_ml,
    "MediaPipe in Python": mediapipe_in_python,
    "MediaPipe in Chromium": mediapipe_in_chromium,
    "LiteRT.js in Chromium": chat_in_chromium,
}
