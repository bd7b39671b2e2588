"""Facts of a made-up model, for the pages that show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts import Caption, Evaluation, Examples, Model
from components.nouns import with_article
from components.push import PushConfig, Variant
from components.push.card import ModelCard, Row
from components.push.card_facts import CardFacts, gather_facts
from components.push.comparison import Comparison
from components.push.evaluated_images import EvaluatedImages
from components.push.exports import KINDS
from components.push.measurement import Latency, Machine, Measurement
from components.push.mistakes import find_mistakes


def measurement(runtime: str, processor_milliseconds: float = 3) -> Measurement:
    latency = (
        Latency(
            threads=1, median_milliseconds=3.14, p95_milliseconds=4.5, runs=100,
            processor_milliseconds=processor_milliseconds,
        ),
        Latency(threads=2, median_milliseconds=2.2, p95_milliseconds=1250, runs=100, processor_milliseconds=3.2),
    )  # fmt: skip
    return Measurement(runtime=runtime, start_milliseconds=81.5, memory_bytes=13_600_000, latency=latency)


def row(file: str, variant: str, weights: str, images: int) -> Row:
    comparison = Comparison(
        images=images, accuracy=0.8, accuracy_difference=0, agreement=1, undecided=0, max_probability_difference=0
    )
    return Row(
        file=file, variant=variant, bytes=912_345, size_over_float32=1, weights=weights, activations="float32",
        comparison=comparison,
    )  # fmt: skip


def facts_of(
    names: tuple[str, ...],
    folder: Path,
    *,
    images: int = 60,
    side: int = 32,
    variants: tuple[Variant, ...] = ("float16", "neuralnetwork", "litert_int8"),
    measurements: dict[str, Measurement] | None = None,
    slices: dict[str, dict[str, float]] | None = None,
    caption: Caption | None = None,
    config: dict[str, Any] | None = None,
) -> CardFacts:
    """Of `images` test images, the classes taking turns, every fifth is taken for the class before its own.

    `measurements` are by variant; with none, nothing was measured.
    """
    labels = np.arange(images) % len(names)
    predicted = np.where(np.arange(images) % 5 == 0, labels - 1, labels) % len(names)
    probabilities = np.full((images, len(names)), 0.1 / len(names), np.float32)
    probabilities[np.arange(images), predicted] = 0.9
    confusion = [[0] * len(names) for _ in names]
    for label, said in zip(labels, predicted, strict=True):
        confusion[label][said] += 1
    file = folder / "images.npy"
    np.save(file, np.random.default_rng(0).integers(0, 256, (images, side, side, 3), np.uint8))
    common: dict[str, Any] = {"folder": folder, "class_names": names}
    examples = Examples(
        **common, dataset="pets/1.0.0", content="", splits={}, image_shape=(side, side, 3),
        example_counts={"train": 400, "validation": 40, "test": images},
    )  # fmt: skip
    model = Model(
        **common, digest="c0ffee" * 10, image_height=side, image_width=side, recipe="small_data", epochs=3,
        parameter_count=228_000, trained_images=400,
    )  # fmt: skip
    evaluation = Evaluation(
        **common, blessed=True, checks=(), example_count=images, slices=slices or {}, caption=caption,
        metrics={"accuracy": float((labels == predicted).mean())}, confusion_matrix=confusion,
    )  # fmt: skip
    rows = [row(KINDS[variant].file, variant, KINDS[variant].weights, images) for variant in variants]
    files = tuple(
        each.model_copy(update={"measurement": (measurements or {}).get(each.variant)})
        for each in (row("saved_model", "saved_model", "float32", images), *rows)
    )
    card = ModelCard(
        class_names=names, caption_nouns=tuple(map(with_article, names)), image_height=side, image_width=side,
        parameter_count=228_000, operations_per_image=11_074_004, files=files,
        machine=Machine(processor="AMD EPYC 7B13", cores=2, system="Linux x86_64") if measurements else None,
    )  # fmt: skip
    about = f"Tells {len(names)} classes of images apart: {', '.join(names[:20])}."
    mistakes = find_mistakes(EvaluatedImages(file, labels, probabilities), names, 12)
    return gather_facts(about, PushConfig(**(config or {})), card, examples, model, evaluation, mistakes)
