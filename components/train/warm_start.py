"""Starts a training with the weights of the best published version, if its network and classes are the same.

Which version that is depends on the time of the run. It is no part of the artifact's key; the Model records it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.artifacts import Examples, StartedFrom
from components.overlap import examples_of, saw_test_images
from components.registry.layout import pushed_folder
from components.registry.versions import Version, best_version
from components.train.network import Network

logger = logging.getLogger(__name__)


def start_from_best(
    network: Network, examples: Examples, root: Path, fetch: Callable[[Path], Path] = lambda version: version
) -> StartedFrom:
    """Sets all of the network's variables, its normalization among them, or none of them.

    `fetch` brings the files of a version to this machine. Returns the version that they are from, or the reason why the
    network keeps its new weights.
    """
    pushed = pushed_folder(root)
    version = best_version(pushed, examples.class_names) or best_version(pushed)
    old = None if version is None else examples_of(version, root)
    reason = "nothing is published yet" if version is None else _obstacle(network, examples, version, old, fetch)
    if reason or version is None:
        logger.warning('train.warm_start is "best", but %s: training starts from new weights', reason)
        return StartedFrom(reason=reason)
    doubt = _doubt(examples, version, old)
    if doubt:
        logger.warning("Training starts from version %d: %s", version.number, doubt)
    else:
        logger.info("Training starts from version %d", version.number)
    return StartedFrom(version=version.number, model_digest=version.model_digest, doubt=doubt)


def _obstacle(
    network: Network, examples: Examples, version: Version, old: Examples | None, fetch: Callable[[Path], Path]
) -> str:
    if version.class_names != examples.class_names:
        return f"version {version.number} tells other classes apart ({_listed(version.class_names)})"
    if saw_test_images(old, examples):
        return f"version {version.number} was made with images that are in the test split now"
    return _take_over(network, version, fetch)


def _doubt(examples: Examples, version: Version, old: Examples | None) -> str:
    """Returns why the version may have seen the test images; empty if it has not.

    For the same data the splits were compared. Other data may hold the same images, or not.
    """
    known = bool(examples.digest) and version.examples_digest == examples.digest
    if known or (old is not None and old.content == examples.content):
        return version.doubt
    made = "it was made with other data" if old else "what it was made with is not on record here"
    return f"{made}: images of today's test split may be among them"


def _take_over(network: Network, version: Version, fetch: Callable[[Path], Path]) -> str:
    """Takes over the version's weights. Returns the reason if they were not taken; empty if they were."""
    own_values = [variable.numpy() for variable in network.variables]
    try:
        path = str(fetch(version.folder) / "variables" / "variables")
        saved = [name for name, _ in tf.train.list_variables(path) if name.startswith("network/")]
        if len(saved) != len(own_values):
            return f"version {version.number} is of another network"
        tf.train.Checkpoint(network=network).read(path).assert_existing_objects_matched()
    except (ValueError, AssertionError):  # shapes or names differ
        _assign(network, own_values)
        return f"version {version.number} is of another network"
    except (OSError, tf.errors.OpError, IndexError) as error:  # a file is damaged, or gone
        _assign(network, own_values)
        return f"the weights of version {version.number} cannot be read ({type(error).__name__})"
    return ""


def _assign(network: Network, values: list[np.ndarray]) -> None:
    for variable, value in zip(network.variables, values, strict=True):
        variable.assign(value)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
