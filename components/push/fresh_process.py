"""Loads a SavedModel in a new process that shares no state with this one, and runs both of its serving signatures.

As a program: `python -m components.push.fresh_process <SavedModel> <images.npy> <results.npz>`.
"""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import components
from components.artifacts import Document
from components.component import ComponentError
from components.push.batches import batches
from components.push.photo_files import KINDS, photo_file

SIGNATURES = ("serving_default", "encoded")


class Reloaded(Document, arbitrary_types_allowed=True):
    """The outputs of one signature, image by image."""

    probabilities: np.ndarray  # float32 (n, classes)
    class_id: np.ndarray  # int64 (n,)
    class_name: np.ndarray  # bytes (n,)


class FreshProcess:
    """The running program; the caller can do other work meanwhile."""

    def __init__(self, process: subprocess.Popen[bytes], results: Path, log: Path) -> None:
        self._process, self._results, self._log = process, results, log

    def outputs(self) -> dict[str, Reloaded]:
        """Waits for the program, and returns its outputs by signature.

        Raises ComponentError if the SavedModel did not load or run.
        """
        if code := self._process.wait():
            lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise ComponentError(
                f"The copied SavedModel does not run in a fresh process (exit code {code}): "
                f"{lines[-1] if lines else 'it said nothing'}. Nothing was published; see {self._log}."
            )
        with np.load(self._results) as results:
            return {
                signature: Reloaded(**{name: results[f"{signature}.{name}"] for name in Reloaded.model_fields})
                for signature in SIGNATURES
            }


@contextlib.contextmanager
def fresh_process(saved_model: Path, images_file: Path, results: Path, log: Path) -> Iterator[FreshProcess]:
    """Starts the program, and ends it if the caller leaves early. Its output goes to `log`."""
    here = str(Path(components.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", __name__, str(saved_model), str(images_file), str(results)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield FreshProcess(process, results, log)
    finally:
        process.kill()
        process.wait()


def main(saved_model: str, images_file: str, results: str) -> None:
    """Runs both signatures over all images: `serving_default` on the pixels, `encoded` on PNG files of every kind."""
    import tensorflow as tf

    signatures = tf.saved_model.load(saved_model).signatures
    parts: dict[str, list[np.ndarray]] = {}
    for images in batches(np.load(images_file, mmap_mode="r")):
        encoded = tf.constant([photo_file(image, index % KINDS) for index, image in enumerate(images)])
        outputs = {
            "serving_default": signatures["serving_default"](image=tf.constant(images)),
            "encoded": signatures["encoded"](image_bytes=encoded),
        }
        for signature, tensors in outputs.items():
            for name in Reloaded.model_fields:
                parts.setdefault(f"{signature}.{name}", []).append(tensors[name].numpy())
    np.savez(results, **{name: _without_objects(np.concatenate(each)) for name, each in parts.items()})


def _without_objects(array: np.ndarray) -> Any:
    """Converts TensorFlow's strings, which come as objects, to bytes of fixed length, which need no pickle."""
    return array.astype("S") if array.dtype == object else array


if __name__ == "__main__":
    # TensorFlow would import Keras, for Keras's own way of loading: a third of this program's start, and not used here.
    sys.modules["keras.src.optimizers"] = None  # type: ignore[assignment]
    gc.set_threshold(50_000)  # Python's 700 would look for garbage at every few modules that are imported
    main(*sys.argv[1:])
    gc.freeze()  # the exit would look for it among all that TensorFlow holds
