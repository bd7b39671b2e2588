"""Measures every variant of one pushed model: its size, its accuracy, its agreement, and the time of its verification.

    python -m benchmarks.coreml_variants pipeline_output/pushed/1 components/datasets/cifar10_sample/1.0.0

The time is that of conversion, writing, reading and running the file, and of the comparison. `--variants` and
`--images` measure less. Of all variants, it also counts how many corrupted weights of the float16 package the
verification catches. Here weights are corrupted in memory; tests/components/push/test_coreml.py corrupts saved files.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from components.component import ComponentError
from components.push import PushConfig, Variant
from components.push.calibration import CALIBRATION_IMAGES, SEARCH_IMAGES
from components.push.comparison import Comparison, compare, require_same
from components.push.coreml import Source
from components.push.drawn_images import drawn_evenly
from components.push.evaluated_images import EvaluatedImages
from components.push.executor import Executor, Graph, Step
from components.push.exports import KINDS, Exporter, predict
from components.push.mlprogram import read_mlprogram
from components.push.smallest import SearchImages
from components.registry.layout import MODEL_CARD

CORRUPTED_WEIGHTS = 40  # of each kind
ROW = "{:<22} {:>9} {:>9} {:>9} {:>10} {:>9} {:>9} {:>12}"
MARGIN = PushConfig().max_probability_difference


def main() -> None:
    """Prints one row per variant, then one line per kind of corruption."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", type=Path, help="a pushed version's folder")
    parser.add_argument("dataset", type=Path, help="a prepared TFDS folder")
    parser.add_argument("--split", default="test", help="the split of the dataset to verify on")
    parser.add_argument("--images", type=int, help="verify on so many of its first images; all if not given")
    parser.add_argument("--variants", nargs="+", choices=get_args(Variant), default=get_args(Variant))
    targets = get_args(PushConfig.model_fields["deployment_target"].annotation)
    parser.add_argument("--deployment_target", default="iOS18", choices=targets, help="as push.deployment_target")
    options = parser.parse_args()
    loaded = tf.saved_model.load(str(options.version))
    names = tuple(json.loads((options.version / MODEL_CARD).read_bytes())["class_names"])
    with tempfile.TemporaryDirectory() as folder:
        split = options.split if options.images is None else f"{options.split}[:{options.images}]"
        evaluated = evaluate(loaded, options.dataset, split, Path(folder))
        height, width = evaluated.images.shape[1:3]
        source = Source(loaded, height, width, names, version="benchmark", description="Benchmark.", metadata={})
        config = PushConfig(deployment_target=options.deployment_target)
        search = SearchImages(search_images(options.dataset), len(evaluated.labels))
        exporter = Exporter(source, config, calibration_images(options.dataset), search)
        print(f"{len(evaluated.labels)} images, {height}x{width}")
        print(ROW.format("variant", "kB", "accuracy", "change", "same class", "max |dp|", "seconds", "processor s"))
        for variant in options.variants:
            print_variant(variant, exporter, evaluated, names, Path(folder))
        if set(options.variants) == set(get_args(Variant)):
            print_corruptions(read_mlprogram(Path(folder) / KINDS["float16"].file), evaluated)


def evaluate(loaded: object, dataset: Path, split: str, folder: Path) -> EvaluatedImages:
    """Returns the images of a split with the predictions of the SavedModel itself."""
    examples = list(tfds.builder_from_directory(dataset).as_dataset(split=split).as_numpy_iterator())
    images, labels = (np.stack([example[key] for example in examples]) for key in ("image", "label"))
    serve = loaded.signatures["serving_default"]  # type: ignore[attr-defined]
    parts = [serve(image=tf.constant(images[start : start + 250])) for start in range(0, len(images), 250)]
    np.save(folder / "images.npy", images)
    return EvaluatedImages(folder / "images.npy", labels, np.concatenate([part["probabilities"] for part in parts]))


def calibration_images(dataset: Path) -> np.ndarray:
    """Returns images of the training split, drawn as push draws them: uint8 (n, height, width, 3)."""
    return _drawn(dataset, "train", CALIBRATION_IMAGES)


def search_images(dataset: Path) -> np.ndarray:
    """Returns images of what is the validation split by default, as above."""
    return _drawn(dataset, "train[96%:]", SEARCH_IMAGES)


def _drawn(dataset: Path, split: str, most: int) -> np.ndarray:
    builder = tfds.builder_from_directory(dataset)
    drawn = set(drawn_evenly(builder.info.splits[split].num_examples, most))
    examples = enumerate(builder.as_dataset(split=split).as_numpy_iterator())
    return np.stack([example["image"] for index, example in examples if index in drawn])


def print_variant(
    variant: Variant, exporter: Exporter, evaluated: EvaluatedImages, names: tuple[str, ...], folder: Path
) -> None:
    """Exports one variant, verifies it, and prints its row."""
    started, processor_started = time.perf_counter(), time.process_time()
    file = exporter.save(variant, folder)
    comparison = compare(predict(file, evaluated.images, names), evaluated, MARGIN)
    seconds, processor_seconds = time.perf_counter() - started, time.process_time() - processor_started
    kilobytes = sum(part.stat().st_size for part in [file, *file.rglob("*")] if part.is_file()) / 1000
    print(
        ROW.format(
            variant,
            f"{kilobytes:.0f}",
            f"{comparison.accuracy:.2%}",
            f"{comparison.accuracy_difference:+.2%}",
            f"{comparison.agreement:.2%}",
            f"{comparison.max_probability_difference:.1e}",
            f"{seconds:.1f}",
            f"{processor_seconds:.1f}",
        ),
        exporter.weights(variant) if variant == "smallest" else "",
        flush=True,
    )


def print_corruptions(graph: Graph, evaluated: EvaluatedImages) -> None:
    """Prints how many corruptions the default bounds catch on the first 500 images.

    Weights are changed in the graph after it is read from the file.
    """
    few = EvaluatedImages(evaluated.images_file, evaluated.labels[:500], evaluated.probabilities[:500])
    for kind in ("highest exponent bit", "sign", "set to zero"):
        found = sum(caught(corrupted, few) for corrupted in corrupted_graphs(graph, kind))
        print(f"one weight, {kind}: {found} of {CORRUPTED_WEIGHTS} caught", flush=True)


def corrupted_graphs(graph: Graph, kind: str) -> Iterator[Graph]:
    """Yields graphs that each have one weight of a convolution or matrix corrupted; every step is equally likely."""
    random = np.random.default_rng(0)
    weighted = [index for index, step in enumerate(graph.steps) if "weight" in step.arguments]
    for _ in range(CORRUPTED_WEIGHTS):
        index = int(random.choice(weighted))
        step = graph.steps[index]
        weight = np.array(step.arguments["weight"], np.float16)
        position = np.unravel_index(random.integers(weight.size), weight.shape)
        bits = weight[position].view(np.uint16)
        changed = {"highest exponent bit": bits ^ 0x4000, "sign": bits ^ 0x8000, "set to zero": np.uint16(0)}[kind]
        weight[position] = np.uint16(changed).view(np.float16)
        broken = Step(step.operation, step.output, {**step.arguments, "weight": weight}, step.float16)
        yield dataclasses.replace(graph, steps=(*graph.steps[:index], broken, *graph.steps[index + 1 :]))


def caught(graph: Graph, evaluated: EvaluatedImages) -> bool:
    """Returns whether the default bounds refuse the graph."""
    try:
        comparison: Comparison = compare(Executor(graph)(evaluated.images[: len(evaluated.labels)]), evaluated, MARGIN)
        require_same("file", comparison, PushConfig())
    except ComponentError:
        return True
    return not np.isfinite(comparison.max_probability_difference)


if __name__ == "__main__":
    main()
