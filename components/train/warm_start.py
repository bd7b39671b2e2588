"""Warm start: the weights of the best published version, where its network and its classes are those of this training.

Which version that is depends on the day; it is no part of the artifact's key, and the Model says which it was.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.artifacts import StartedFrom
from components.published import Version, best_version
from components.train.network import Network

logger = logging.getLogger(__name__)


def start_from_best(network: Network, class_names: tuple[str, ...], pushed: Path) -> StartedFrom:
    """Sets all of the network's variables, its normalization among them, or none of them."""
    version = best_version(pushed, class_names) or best_version(pushed)
    reason = "nothing is published yet" if version is None else _take_over(network, class_names, version)
    if reason or version is None:
        logger.warning('train.warm_start is "best", but %s: training starts from new weights', reason)
        return StartedFrom(reason=reason)
    logger.info("Training starts from version %d", version.number)
    return StartedFrom(version=version.number, model_digest=version.model_digest)


def _take_over(network: Network, class_names: tuple[str, ...], version: Version) -> str:
    """Returns why the version's weights were not taken; empty if they were."""
    if version.class_names != class_names:
        return f"version {version.number} tells other classes apart ({_listed(version.class_names)})"
    path = str(version.folder / "variables" / "variables")
    own_values = [variable.numpy() for variable in network.variables]
    try:
        saved = [name for name, _ in tf.train.list_variables(path) if name.startswith("network/")]
        if len(saved) != len(own_values):
            return f"version {version.number} is of another network"
        tf.train.Checkpoint(network=network).read(path).assert_existing_objects_matched()
    except (ValueError, AssertionError):  # other shapes, other names
        _assign(network, own_values)
        return f"version {version.number} is of another network"
    except (tf.errors.OpError, IndexError) as error:  # a file is damaged, or gone
        _assign(network, own_values)
        return f"the weights of version {version.number} cannot be read ({type(error).__name__})"
    return ""


def _assign(network: Network, values: list[np.ndarray]) -> None:
    for variable, value in zip(network.variables, values, strict=True):
        variable.assign(value)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
