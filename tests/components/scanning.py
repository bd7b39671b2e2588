"""Does with a scanning component what the orchestrator does, and prepares datasets to scan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_datasets as tfds
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import AsList
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from components.artifacts import Artifact, Examples
from components.component import ShardedComponent, Workspace

EVERY_BUNDLE_TWICE = ("--direct_runner_bundle_repeat=1",)


def run(component: ShardedComponent, workspace: Workspace, *inputs: Artifact, beam_args: Sequence[str] = ()) -> Any:
    """The artifact."""
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(list(beam_args))) as pipeline:
        attempt = pipeline | "start" >> beam.Create([None]) | "once" >> beam.Reshuffle()
        shards = attempt | "shards" >> beam.FlatMap(_shards, component, workspace, inputs)
        results = component.process(shards | "spread" >> beam.Reshuffle())
        _ = attempt | "gather" >> beam.Map(_gather, component, workspace, inputs, AsList(results))
    return component.artifact.read(workspace.folder)


def run_cached(component: ShardedComponent, folder: Path) -> int:
    """How many results come of no shards, which is what a cached component scans."""
    found = folder / "results"
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        attempt = pipeline | "start" >> beam.Create([None])
        shards = attempt | "shards" >> beam.FlatMap(lambda _: []) | "spread" >> beam.Reshuffle()
        results = component.process(shards)
        _ = attempt | beam.Map(lambda _, results: found.write_text(str(len(results))), AsList(results))
    return int(found.read_text())


def prepare(
    folder: Path,
    class_names: Sequence[str],
    splits: dict[str, Iterable[tuple[np.ndarray, int]]],
    stored_classes: int | None = None,
) -> Examples:
    """A prepared dataset of images and labels; `stored_classes`: if its labels go beyond the class names."""
    images = {split: list(pairs) for split, pairs in splits.items()}
    shapes = {image.shape for pairs in images.values() for image, _ in pairs}
    shape = shapes.pop() if len(shapes) == 1 else (None, None, 3)
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="prepared",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=shape, encoding_format="png"),
                "label": tfds.features.ClassLabel(num_classes=stored_classes or len(class_names)),
            }
        ),
        split_datasets={
            split: [(index, {"image": image, "label": label}) for index, (image, label) in enumerate(pairs)]
            for split, pairs in images.items()
        },
        data_dir=folder,
        disable_shuffling=True,
    )
    return Examples(
        folder=folder,
        dataset="prepared/1.0.0",
        content="2" * 64,
        directory=Path(builder.data_dir),
        splits={split: split for split in images},
        example_counts={split: len(pairs) for split, pairs in images.items()},
        class_names=tuple(class_names),
        image_shape=shape,
    )


def _shards(_: None, component: ShardedComponent, workspace: Workspace, inputs: tuple[Artifact, ...]) -> list[Any]:
    return list(component.list_shards(workspace, *inputs))


def _gather(
    _: None, component: ShardedComponent, workspace: Workspace, inputs: tuple[Artifact, ...], results: list[Any]
) -> None:
    component.combine(workspace, list(results), *inputs)
