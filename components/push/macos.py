"""Runs Core ML files in Core ML itself, which only macOS has. This module was not run where it was written."""

from __future__ import annotations

from pathlib import Path

import coremltools as ct
import numpy as np
from PIL import Image

from components.push.comparison import require_classes


def run_coreml(file: Path, images: np.ndarray, class_names: tuple[str, ...]) -> np.ndarray:
    """Predicts uint8 (n, height, width, 3), RGB -> probabilities float32 (n, classes), ordered as `class_names`.

    Raises ComponentError if the file has other classes.
    """
    model = ct.models.MLModel(str(file))
    probabilities = np.empty((len(images), len(class_names)), np.float32)
    for index, image in enumerate(images):
        by_name = model.predict({"image": Image.fromarray(np.asarray(image))})["classProbability"]
        if by_name.keys() != set(class_names):
            require_classes(file.name, tuple(by_name), class_names)
        probabilities[index] = [by_name[name] for name in class_names]
    return probabilities
