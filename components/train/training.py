"""Trains a Model from Examples and Statistics."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from components.artifacts import Examples, Model, SplitStatistics, Statistics
from components.component import ComponentError, Workspace
from components.convertible import refuse_unconvertible
from components.train import devices
from components.train.calibration import calibrate
from components.train.checkpoint import Checkpoint
from components.train.classifier import Classifier
from components.train.data import batches
from components.train.loop import Training
from components.train.network import Network, Setting, WhitenedNetwork
from components.train.pretrained import PretrainedNetwork
from components.train.progress import Progress
from components.train.resnet import ResNet
from components.train.tutorial import TutorialNetwork
from components.train.warm_start import start_from_best

if TYPE_CHECKING:
    from components.train import TrainConfig

logger = logging.getLogger(__name__)

SIDE_OF_MIXED_SIZES_PIXELS = 64  # if the config gives no size and the images' sizes differ


def train(config: TrainConfig, workspace: Workspace, examples: Examples, statistics: Statistics) -> Model:
    """Trains a classifier on `examples` and writes it into the workspace's folder, on all devices that there are."""
    with devices.scope(devices.strategy()):
        return _train(config, workspace, examples, statistics)


def _train(config: TrainConfig, workspace: Workspace, examples: Examples, statistics: Statistics) -> Model:
    _refuse_early_stop_without_validation(config, examples)
    height, width = image_size(config, examples)
    network = build_network(config, statistics.splits["train"], height, width, len(examples.class_names))
    classifier = Classifier(network, height, width, examples.class_names, config.mirror_averaging)
    # Before hours of training that would give a model that phones cannot run.
    refuse_unconvertible(classifier.pixels().get_concrete_function(), height, width)
    training_batches = batches(
        examples, "train", height, width, config.max_cache_megabytes, config.random_crop_area_fraction
    )
    validation_batches = (
        batches(examples, "validation", height, width, config.max_cache_megabytes)
        if examples.example_counts.get("validation")
        else None
    )
    training = Training(config, classifier, training_batches, config.random_seed)
    progress = Progress(workspace.folder / "logs", workspace.report)
    work = json.dumps([config.identity(), workspace.fingerprint, examples.content, examples.splits])
    checkpoint = Checkpoint(workspace.scratch / "checkpoint.npz", work)
    if not training.resume(checkpoint) and config.warm_start:
        training.start_from(start_from_best(network, examples, workspace.root))
    training.run(validation_batches, checkpoint, progress)
    progress.finish()
    calibration = calibrate(classifier, validation_batches) if validation_batches else None
    if calibration:
        calibration.save(workspace.folder / "validation.npz")
    model = Model(
        folder=workspace.folder,
        class_names=examples.class_names,
        image_height=height,
        image_width=width,
        recipe=config.recipe,
        parameter_count=sum(int(np.prod(variable.shape)) for variable in network.trainable_variables),
        epochs=min(training.planned_epochs, len(training.history)),
        trained_images=training_batches.count,
        validation_accuracy=training.exported.get("validation_accuracy"),
        temperature=calibration.temperature if calibration else 1.0,
        started_from=training.started_from,
    )
    classifier.save(model.saved_model)
    (workspace.folder / "history.json").write_text(json.dumps(training.history, indent=1) + "\n", encoding="utf-8")
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
    """Returns the height and width of the network's input, in pixels."""
    height, width, _ = examples.image_shape
    if config.image_size_pixels:
        return config.image_size_pixels, config.image_size_pixels
    return height or SIDE_OF_MIXED_SIZES_PIXELS, width or SIDE_OF_MIXED_SIZES_PIXELS


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
    # The matrix units of GPUs are fastest in bfloat16; most CPUs have no fast path for it.
    compute_type = tf.bfloat16 if tf.config.list_physical_devices("GPU") else tf.float32
    random = np.random.default_rng(config.random_seed)
    return network(config, Setting(statistics, height, width, class_count, random, compute_type))


NETWORKS: dict[str, type[Network]] = {
    "whitened": WhitenedNetwork,
    "tutorial": TutorialNetwork,
    "resnet": ResNet,
    "pretrained": PretrainedNetwork,
}
