"""Saves and restores the checkpoint from which a killed training continues, in one file."""

from __future__ import annotations

import json
import logging
import os
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

logger = logging.getLogger(__name__)

PROGRESS = "progress"


@dataclass(frozen=True)
class Checkpoint:
    """The file of a training's checkpoint, and the identity of that training."""

    path: Path
    work: str  # identifies the training: its config and its data

    def save(self, variables: list[tf.Variable], progress: dict[str, Any]) -> None:
        """Writes all variables and `progress`, whole or not at all."""
        arrays = {_key(index, variable): variable.numpy() for index, variable in enumerate(variables)}
        arrays[PROGRESS] = np.array(json.dumps([self.work, progress]))
        # A draft with a unique name: another run may train the same model. It is hidden: no draft goes into a bucket.
        unfinished = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex[:8]}")
        with unfinished.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(unfinished, self.path)

    def restore(self, variables: list[tf.Variable]) -> dict[str, Any] | None:
        """Restores all variables, and returns the saved progress; None if there is no checkpoint of this training."""
        if not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            saved_work, progress = json.loads(str(arrays.pop(PROGRESS)))
        # Errors of a damaged file, depending on where the damage is.
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            logger.warning("The checkpoint %s cannot be read (%s): training starts anew", self.path, error)
            return None
        shapes = {_key(index, variable): tuple(variable.shape) for index, variable in enumerate(variables)}
        if saved_work != self.work or shapes != {name: array.shape for name, array in arrays.items()}:
            logger.warning("The checkpoint %s is of another training: training starts anew", self.path)
            return None
        for index, variable in enumerate(variables):
            variable.assign(arrays[_key(index, variable)])
        return progress


def _key(index: int, variable: tf.Variable) -> str:
    return f"{index:03d} {variable.name}".replace("/", "|")
