"""Trains a head on stored features, and checks that the whole network says the same from pixels."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.special import softmax

from components import vector_file
from components.artifacts import Embeddings, Examples
from components.component import ComponentError
from components.train.classifier import Classifier
from components.train.data import read_in_order
from components.train.head import Floats, Head, fit_head, mean_views, read_features
from components.train.lite import LiteNetwork
from components.train.recipe import Recipe

logger = logging.getLogger(__name__)

FEWEST_IMAGES = 2
CHECKED_IMAGES = 32
CHECKED_AT_ONCE = 4  # the process keeps the memory that the layers of a batch have taken
MAX_PROBABILITY_DIFFERENCE = 0.02  # features are stored in float16


def start_from_features(recipe: Recipe, network: LiteNetwork, embeddings: Embeddings, class_count: int) -> Head:
    """Fits the head on the features of the training split, gives it to the network, and returns it.

    Raises ComponentError if the features are of another backbone, or of another size than the exported network's, or
    of a single image.
    """
    if embeddings.backbone != recipe.backbone:
        raise ComponentError(
            f"The stored features are of {embeddings.backbone}, and train.backbone is {recipe.backbone}. Leave "
            "embed.backbone out, so that it is the same."
        )
    if recipe.image_size_pixels != embeddings.image_size_pixels:
        raise ComponentError(
            f"The stored features are of images of {embeddings.image_size_pixels} pixels, and train.image_size_pixels "
            f"is {recipe.image_size_pixels}. Leave embed.image_size_pixels out, so that it is the same."
        )
    features = read_features(embeddings, "train", with_windows=True)
    if len(features.labels) < FEWEST_IMAGES:
        raise ComponentError(
            "There is one training image, and a head is fitted on two or more: some are held out to judge it by. Add "
            "photos, or give the split train more of them (ingest.splits)."
        )
    head = fit_head(features, class_count, recipe.class_balance)
    hits = head.held_out_logits.argmax(axis=1) == head.held_out_labels
    logger.info("Head: shrinkage %g; %d of %d held-out images are right", head.shrinkage, hits.sum(), len(hits))
    network.start_from(head)
    return head


def logits_of(head: Head, views: NDArray[np.floating[Any]], mirror_averaging: bool) -> Floats:
    """Computes the logits (n, classes) that the exported model has for images, from their views' features."""
    return head.logits(mean_views(views if mirror_averaging else views[:, :1]))


def check_same(classifier: Classifier, examples: Examples, embeddings: Embeddings, head: Head) -> None:
    """Compares the network's probabilities with those of the stored features, for the first training images.

    Raises ComponentError if a probability differs by more than what float16 explains.
    """
    stored = read_in_order(examples, "train", classifier.image_height, classifier.image_width)
    images, _ = next(iter(stored.batch(CHECKED_IMAGES)))
    few = tf.data.Dataset.from_tensor_slices(images).batch(CHECKED_AT_ONCE)
    computed = np.concatenate([classifier.probabilities(tf.cast(batch, tf.float32)) for batch in few])
    expected = softmax(logits_of(head, _first_views(embeddings, len(computed)), classifier.mirror_averaging), axis=1)
    difference = float(np.abs(computed - expected).max())
    if not difference <= MAX_PROBABILITY_DIFFERENCE:
        raise ComponentError(
            f"From pixels, the network gives probabilities that differ by {difference:.3f} from those of the stored "
            f"features; at most {MAX_PROBABILITY_DIFFERENCE} is allowed. Run again with --force embed --force train."
        )


def _first_views(embeddings: Embeddings, count: int) -> NDArray[np.float16]:
    """Reads the views (n, views, features) of so many first training images."""
    read: list[NDArray[np.float16]] = []
    for file in embeddings.files("train"):
        read.append(vector_file.read(file).views)
        if sum(map(len, read)) >= count:
            break
    return np.concatenate(read)[:count]
