"""Loads a staged version in a new process that shares no state with this one, and asks it as a server would.

First it answers the version's warm-up requests, within a time limit. Then both serving signatures run over images.

`encoded` gets all images, as files. `serving_default` gets some hundreds, evenly spread: it has the same weights, and
the evaluation has run all images through it.

As a program: `python -m components.push.fresh_process <version> <images.npy> <results.npz> <seconds>`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts import Document
from components.component import ComponentError
from components.push.batches import batches
from components.push.photo_files import KINDS, photo_file
from components.push.program import Program, hasten_start, running

SIGNATURES = ("serving_default", "encoded")
SERVED_IMAGES = 250


class Reloaded(Document, arbitrary_types_allowed=True):
    """The outputs of one signature, image by image."""

    probabilities: np.ndarray  # float32 (n, classes)
    class_id: np.ndarray  # int64 (n,)
    class_name: np.ndarray  # bytes (n,)


class FreshProcess:
    """The running program; the caller can do other work meanwhile."""

    def __init__(self, program: Program, results: Path, max_start_seconds: float) -> None:
        self._program, self._results, self._max_start_seconds = program, results, max_start_seconds

    def outputs(self) -> dict[str, Reloaded]:
        """Waits for the program, and returns its outputs by signature.

        Raises ComponentError if the SavedModel did not load or run, or did not answer in time.
        """
        if code := self._program.wait():
            log = self._program.log
            if self._program.was_too_late:
                raise ComponentError(
                    f"The version did not answer its first requests within {self._max_start_seconds:g} seconds of the "
                    f"start of a fresh process. Nothing was published; {log} says where it was. If the machine "
                    "was only busy, run again, or raise push.max_start_seconds."
                )
            raise ComponentError(
                f"The copied SavedModel does not run in a fresh process (exit code {code}): "
                f"{self._program.last_line}. Nothing was published; see {log}."
            )
        with np.load(self._results) as results:
            return {
                signature: Reloaded(**{name: results[f"{signature}.{name}"] for name in Reloaded.model_fields})
                for signature in SIGNATURES
            }


@contextlib.contextmanager
def fresh_process(
    version: Path, images_file: Path, results: Path, log: Path, max_start_seconds: float
) -> Iterator[FreshProcess]:
    """Starts the program, and ends it if the caller leaves early. Its output goes to `log`.

    It ends itself unless it has answered the warm-up requests after `max_start_seconds`.
    """
    with running(__name__, (version, images_file, results, max_start_seconds), log) as program:
        yield FreshProcess(program, results, max_start_seconds)


def main(version: str, images_file: str, results: str, max_start_seconds: str) -> None:
    """Runs both signatures: `serving_default` on the pixels, `encoded` on PNG files of every kind."""
    faulthandler.dump_traceback_later(float(max_start_seconds), exit=True)  # also if TensorFlow itself hangs
    import tensorflow as tf

    from components.push.warm_up import answer_warm_up

    signatures = tf.saved_model.load(version).signatures
    answer_warm_up(Path(version), signatures)
    faulthandler.cancel_dump_traceback_later()
    images, kinds = np.load(images_file, mmap_mode="r"), itertools.cycle(range(KINDS))
    few = images[:: step("serving_default", len(images))]
    served = [signatures["serving_default"](image=tf.constant(batch)) for batch in batches(few)]
    encoded = [
        signatures["encoded"](image_bytes=tf.constant([photo_file(image, next(kinds)) for image in batch]))
        for batch in batches(images)
    ]
    np.savez(results, **_columns("serving_default", served), **_columns("encoded", encoded))


def step(signature: str, image_count: int) -> int:
    """Returns which images run through a signature: every so many-th, from the first one on."""
    return -(-image_count // SERVED_IMAGES) if signature == "serving_default" else 1


def _columns(signature: str, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the outputs of all batches as the fields of `Reloaded`."""
    return {
        f"{signature}.{name}": _without_objects(np.concatenate([each[name].numpy() for each in outputs]))
        for name in Reloaded.model_fields
    }


def _without_objects(array: np.ndarray) -> Any:
    """Converts TensorFlow's strings, which come as objects, to bytes of fixed length, which need no pickle."""
    return array.astype("S") if array.dtype == object else array


if __name__ == "__main__":
    hasten_start()
    main(*sys.argv[1:])
    gc.freeze()  # the exit would look for it among all that TensorFlow holds
