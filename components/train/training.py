"""Trains a Model from Examples and Statistics."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from components.artifacts import CrossValidated, Embeddings, Examples, Model, SplitStatistics, StartedFrom, Statistics
from components.component import ComponentError, Workspace
from components.convertible import refuse_unconvertible
from components.train import devices
from components.train.calibration import Calibration, calibrate, calibrate_logits
from components.train.checkpoint import Checkpoint
from components.train.class_balance import class_weights
from components.train.classifier import Classifier
from components.train.data import batches
from components.train.head import Head, read_features
from components.train.lite import LiteNetwork
from components.train.loop import Training
from components.train.network import Network, Setting, WhitenedNetwork
from components.train.precision import warn_if_slow
from components.train.pretrained import PretrainedNetwork
from components.train.progress import Progress
from components.train.resnet import ResNet
from components.train.step_memory import refuse_too_large_step
from components.train.transfer import check_same, logits_of, start_from_features
from components.train.tutorial import TutorialNetwork
from components.train.warm_start import start_from_best

if TYPE_CHECKING:
    from components.train import TrainConfig

logger = logging.getLogger(__name__)

MAX_OWN_SIZE_PIXELS = 64  # height and width up to which networks take images at their own size


class Trained(NamedTuple):
    """What came of the training of a classifier."""

    history: list[dict[str, Any]]  # a record an epoch, as `components.artifacts.Model` documents it
    epochs: float
    validation_accuracy: float | None
    calibration: Calibration | None  # None: there is no validation split
    started_from: StartedFrom | None = None
    cross_validated: CrossValidated | None = None  # None: other parts than the head are trained


def train(
    config: TrainConfig,
    workspace: Workspace,
    examples: Examples,
    statistics: Statistics,
    embeddings: Embeddings | None = None,
    recipe_reason: str = "",
) -> Model:
    """Trains a classifier on `examples` and writes it into the workspace's folder, on all devices that there are.

    `recipe_reason` says why it is this recipe, if it was chosen by the images.
    """
    if recipe_reason:
        logger.info("Recipe %s: %s", config.recipe, recipe_reason)
    with devices.scope(devices.strategy()):
        _refuse_early_stop_without_validation(config, examples)
        classifier = _new_classifier(config, examples, statistics)
        head = _fit_head(config, workspace, examples, classifier, embeddings) if embeddings else None
        if head and embeddings and not config.epochs:
            trained = _judge_head(classifier, head, embeddings)
        else:
            counts = statistics.splits["train"].class_counts
            trained = _run_epochs(config, workspace, examples, classifier, counts)
        return _write(config, workspace, examples, classifier, trained, recipe_reason)


def _new_classifier(config: TrainConfig, examples: Examples, statistics: Statistics) -> Classifier:
    height, width = image_size(config, examples)
    network = build_network(config, statistics.splits["train"], height, width, len(examples.class_names))
    classifier = Classifier(network, height, width, examples.class_names, config.mirror_averaging)
    # Before hours of training that would give a model that phones cannot run.
    refuse_unconvertible(classifier.pixels().get_concrete_function(), height, width)
    return classifier


def _fit_head(
    config: TrainConfig, workspace: Workspace, examples: Examples, classifier: Classifier, embeddings: Embeddings
) -> Head:
    """Fits the head on stored features, and checks that pixels give what the features gave."""
    workspace.report(0, 1, "fitting the head on stored features")
    assert isinstance(classifier.network, LiteNetwork)
    head = start_from_features(config, classifier.network, embeddings, len(examples.class_names))
    check_same(classifier, examples, embeddings, head)
    return head


def _judge_head(classifier: Classifier, head: Head, embeddings: Embeddings) -> Trained:
    """Calibrates a classifier that is not trained further: by held-out images, because few may be in validation."""
    logits, labels, accuracy = head.held_out_logits, head.held_out_labels, None
    if embeddings.image_counts.get("validation"):
        validation = read_features(embeddings, "validation")
        said = logits_of(head, validation.views, classifier.mirror_averaging)
        accuracy = float((said.argmax(axis=1) == validation.labels).mean())
        logits, labels = np.concatenate([logits, said]), np.concatenate([labels, validation.labels])
    calibration = calibrate_logits(classifier, logits, labels)
    cross_validated = CrossValidated(right_images=int(calibration.correct.sum()), images=len(labels))
    return Trained([], 0, accuracy, calibration, cross_validated=cross_validated)


def _run_epochs(
    config: TrainConfig, workspace: Workspace, examples: Examples, classifier: Classifier, class_counts: tuple[int, ...]
) -> Trained:
    height, width = classifier.image_height, classifier.image_width
    training_batches = batches(
        examples, "train", height, width, config.max_cache_megabytes, config.random_crop_area_fraction
    )
    weights = class_weights(class_counts, config.class_balance) if config.class_balance else None
    training = Training(config, classifier, training_batches, config.random_seed, weights)
    validation_batches = (
        batches(examples, "validation", height, width, config.max_cache_megabytes)
        if examples.example_counts.get("validation")
        else None
    )
    refuse_too_large_step(training)
    progress = Progress(workspace.folder / "logs", workspace.report)
    arithmetic = config.arithmetic.type
    work = json.dumps([config.identity(), arithmetic, workspace.fingerprint, examples.content, examples.splits])
    checkpoint = Checkpoint(workspace.scratch / "checkpoint.npz", work)
    if not training.resume(checkpoint) and config.warm_start:
        training.start_from(start_from_best(classifier.network, examples, workspace.root, workspace.fetch_version))
    training.run(validation_batches, checkpoint, progress)
    progress.finish()
    calibration = calibrate(classifier, validation_batches) if validation_batches else None
    return Trained(
        history=training.history,
        epochs=min(training.planned_epochs, len(training.history)),
        validation_accuracy=training.exported.get("validation_accuracy"),
        calibration=calibration,
        started_from=training.started_from,
    )


def _write(
    config: TrainConfig,
    workspace: Workspace,
    examples: Examples,
    classifier: Classifier,
    trained: Trained,
    recipe_reason: str,
) -> Model:
    if trained.calibration:
        trained.calibration.save(workspace.folder / "validation.npz")
    model = Model(
        folder=workspace.folder,
        class_names=examples.class_names,
        image_height=classifier.image_height,
        image_width=classifier.image_width,
        recipe=config.recipe,
        recipe_reason=recipe_reason,
        precision=config.arithmetic.type,
        parameter_count=sum(int(np.prod(variable.shape)) for variable in classifier.network.trainable_variables),
        epochs=trained.epochs,
        trained_images=examples.example_counts["train"],
        validation_accuracy=trained.validation_accuracy,
        temperature=trained.calibration.temperature if trained.calibration else 1.0,
        started_from=trained.started_from,
        cross_validated=trained.cross_validated,
    )
    classifier.save(model.saved_model)
    (workspace.folder / "history.json").write_text(json.dumps(trained.history, indent=1) + "\n", encoding="utf-8")
    return model.write()


def _refuse_early_stop_without_validation(config: TrainConfig, examples: Examples) -> None:
    patience = config.early_stopping_patience_epochs
    if patience and not examples.example_counts.get("validation"):
        raise ComponentError(
            f"train.early_stopping_patience_epochs is {patience}, and there is no validation split to tell by: "
            f"there are {', '.join(examples.splits)}. Name one in ingest.splits, or set "
            "early_stopping_patience_epochs to null."
        )


def image_size(config: TrainConfig, examples: Examples) -> tuple[int, int]:
    """Returns the height and width of the network's input, in pixels.

    Without a size in the config it is the images' own, if they share one and it is small.
    """
    height, width, _ = examples.image_shape
    if config.image_size_pixels:
        return config.image_size_pixels, config.image_size_pixels
    if height and width and max(height, width) <= MAX_OWN_SIZE_PIXELS:
        return height, width
    return MAX_OWN_SIZE_PIXELS, MAX_OWN_SIZE_PIXELS


def build_network(
    config: TrainConfig, statistics: SplitStatistics, height: int, width: int, class_count: int
) -> Network:
    """Returns the config's network, with weights drawn from its seed.

    Raises ComponentError if the images are too small.
    """
    network = NETWORKS[config.network]
    smallest = round(min(height, width) * min(fraction for _, fraction in config.resolution_schedule))
    if smallest < network.minimum_size_pixels:
        raise ComponentError(
            f"Images of {height}x{width} pixels would be trained on at {smallest} pixels; the network "
            f"`{config.network}` needs at least {network.minimum_size_pixels}. Set train.image_size_pixels."
        )
    if config.cutout_pixels >= min(height, width):
        raise ComponentError(
            f"A square of {config.cutout_pixels} pixels would be blanked in images of {height}x{width} pixels. "
            "Set train.cutout_pixels below the image's side, or to 0."
        )
    arithmetic = config.arithmetic
    logger.info("Convolutions are trained in %s: %s", arithmetic.type, arithmetic.reason)
    if arithmetic.type == "bfloat16":
        warn_if_slow()
    compute_type = tf.as_dtype(arithmetic.type)
    random = np.random.default_rng(config.random_seed)
    return network(config, Setting(statistics, height, width, class_count, random, compute_type))


NETWORKS: dict[str, type[Network]] = {
    "whitened": WhitenedNetwork,
    "tutorial": TutorialNetwork,
    "resnet": ResNet,
    "efficientnet_lite": LiteNetwork,
    "pretrained": PretrainedNetwork,
}
