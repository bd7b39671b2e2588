"""Classifies photo files in MediaPipe's image classifier for Python, which wants an environment of its own.

`make test-mediapipe` makes that environment, and names its Python in MEDIAPIPE.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.client_programs.chromium import by_class

PYTHON = os.environ.get("MEDIAPIPE")
PROGRAM = Path(__file__).with_name("classify_with_mediapipe.py")


class Classified(NamedTuple):
    """What MediaPipe answered."""

    version: str  # of MediaPipe
    probabilities: NDArray[np.float32]  # (n, classes)


def classify(model: Path, photos: Sequence[Path], class_names: Sequence[str]) -> Classified:
    """Classifies photo files with a `.tflite` file; probabilities are in the order of `class_names`.

    Raises RuntimeError if MediaPipe refuses the file. The text holds its reason.
    """
    command = [str(PYTHON), str(PROGRAM), str(model), *map(str, photos)]
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode:
        raise RuntimeError(f"MediaPipe failed on {model.name}: {finished.stderr[-2000:]}")
    answer = json.loads(finished.stdout)
    return Classified(answer["version"], by_class(answer["scores"], class_names))
