"""Measures ways to evaluate two models on 10,000 images: the component, its prediction alone, and TFMA.

    python -m benchmarks.evaluate pipeline_output/pushed/2 --baseline pipeline_output/pushed/1 \
        --dataset ~/tensorflow_datasets/cifar10/3.0.2

Each way runs in a process of its own. CPU seconds and peak memory are those of that process, including its imports.
All ways start from the stored images, PNG in TFRecord. The component and `tfma.run_model_analysis` both compute
accuracy, top-5 accuracy, cross-entropy and the confusion matrix, over all images and for every class. Only the
component computes calibration, areas under curves, intervals and the verdict. `run_model_analysis` cannot read
batches of images as raw pixels, so it uses the model's signature `encoded`.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.artifacts import Examples, Model
from components.component import Workspace
from components.evaluate import Evaluate, EvaluateConfig
from components.registry.versions import Version, versions

ROW = "{:<34} {:>12} {:>12} {:>10} {:>10}"


def main() -> None:
    """Prints one row per way, with the medians of `--repeats` runs. If a way fails, exits with its error output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", type=Path, help="a published version's folder")
    parser.add_argument("--baseline", type=Path, required=True, help="the folder of another published version")
    parser.add_argument("--dataset", type=Path, required=True, help="a prepared TFDS folder")
    parser.add_argument("--repeats", type=int, default=1, help="how often to run each way; medians are printed")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)  # in the process that is measured
    options = parser.parse_args()
    if options.only:
        measure(options)
        return
    print(ROW.format("", "CPU seconds", "wall seconds", "GB", "accuracy"))
    for way in options.ways:
        runs = [run(way) for _ in range(options.repeats)]
        row = {name: statistics.median(each[name] for each in runs) for name in runs[0]}
        cells = (f"{row['cpu']:.1f}", f"{row['wall']:.1f}", f"{row['gigabytes']:.2f}", f"{row['accuracy']:.4f}")
        print(ROW.format(way, *cells), flush=True)


def run(way: str) -> dict[str, float]:
    """Runs one way in a process of its own, and returns what it took."""
    command = [sys.executable, "-m", "benchmarks.evaluate", *sys.argv[1:], f"--only={way}"]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode:
        sys.exit(f"{found.stderr}\n{way} failed, exit code {found.returncode}: see above.")
    return json.loads(found.stdout.splitlines()[-1])


def measure(options: argparse.Namespace) -> None:
    """Runs one way, and prints what it took as JSON."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        accuracy = WAYS[options.only](options, Path(folder))
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {"cpu": used.ru_utime + used.ru_stime, "wall": time.monotonic() - started}
    print(json.dumps({**figures, "gigabytes": used.ru_maxrss / 1e6, "accuracy": accuracy}))


def workspace_of(options: argparse.Namespace, folder: Path, with_baseline: bool) -> Workspace:
    """Returns a workspace in which both models are asked anew, whatever is on record of the baseline."""
    digest = version_at(options.baseline).model_digest if with_baseline else ""
    root = options.baseline.parent.parent
    return Workspace(folder=folder, scratch=folder, root=root, fingerprint=digest, forced=True)


def evaluate(options: argparse.Namespace, folder: Path, slice_by: tuple[str, ...], *, with_baseline: bool) -> float:
    """Evaluates with the component, in a Beam graph like the pipeline's, and returns the accuracy."""
    import apache_beam as beam
    from apache_beam.pvalue import AsList
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    examples, model = artifacts(options, folder)
    work = folder / "work"
    work.mkdir()
    workspace = workspace_of(options, work, with_baseline)
    config = {"thresholds": {"accuracy": {"min": 0.1}}, "slice_by": slice_by}
    component = Evaluate(EvaluateConfig.model_validate(config))
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        shards = pipeline | beam.Create(list(component.list_shards(workspace, examples, model))) | beam.Reshuffle()
        results = component.process(shards)
        start = pipeline | "start" >> beam.Create([None])
        _ = start | beam.Map(lambda _, found: component.combine(workspace, found, examples, model), AsList(results))
    return json.loads((work / "evaluation.json").read_text())["metrics"]["accuracy"]


def predict(options: argparse.Namespace, folder: Path, *, with_baseline: bool) -> float:
    """Only reads and predicts, with both models if `with_baseline`, and returns the accuracy."""
    import numpy as np

    from components.evaluate.prediction import predict as predict_shard

    examples, model = artifacts(options, folder)
    workspace = workspace_of(options, folder, with_baseline)
    component = Evaluate(EvaluateConfig.model_validate({"thresholds": {"accuracy": {"min": 0.1}}, "slice_by": ()}))
    found = [predict_shard(shard) for shard in component.list_shards(workspace, examples, model)]
    return float(np.mean(np.concatenate([each.probabilities.argmax(axis=1) == each.labels for each in found])))


def run_model_analysis(options: argparse.Namespace, folder: Path, *, with_baseline: bool) -> float:
    """Evaluates with TFMA, from a SavedModel and a file of tf.Examples, and returns the accuracy."""
    examples, _ = artifacts(options, folder)
    models = {"candidate": options.version, **({"baseline": options.baseline} if with_baseline else {})}
    return analyse(models, examples, folder)[()]["accuracy"]["doubleValue"]


def analyse(models: dict[str, Path], examples: Examples, folder: Path) -> dict[Any, dict[str, Any]]:
    """Returns TFMA's metrics of the candidate by slice: `()` is all images, `(("label", 6),)` is class 6.

    `models` are the folders of SavedModels by name: "candidate" and, if there is one, "baseline".
    """
    import tensorflow_model_analysis as tfma
    from apache_beam.options.pipeline_options import PipelineOptions
    from google.protobuf import text_format
    from tensorflow_model_analysis.proto import config_pb2

    file = folder / "examples.tfrecord"
    write_examples(examples, file)
    config = text_format.Parse(EVAL_CONFIG, config_pb2.EvalConfig())
    for name in models:
        config.model_specs.add(
            name=name,
            signature_name="encoded",
            label_key="label",
            prediction_key="probabilities",
            is_baseline=name == "baseline",
        )
    result: Any = tfma.run_model_analysis(
        eval_shared_model=[
            tfma.default_eval_shared_model(str(path), model_name=name, eval_config=config)
            for name, path in models.items()
        ],
        eval_config=config,
        data_location=str(file),
        output_path=str(folder / "output"),
        pipeline_options=PipelineOptions(["--runner=FnApiRunner"]),
    )
    first = result.get_results()[0] if "baseline" in models else result
    return first.get_metrics_for_all_slices()


EVAL_CONFIG = """
metrics_specs {
  metrics { class_name: "ExampleCount" }
  metrics { class_name: "SparseCategoricalAccuracy" config: '"name": "accuracy"' }
  metrics { class_name: "SparseCategoricalCrossentropy" config: '"name": "cross_entropy"' }
  metrics { class_name: "SparseTopKCategoricalAccuracy" config: '"name": "top_5_accuracy", "k": 5' }
  metrics { class_name: "MultiClassConfusionMatrixAtThresholds" config: '"thresholds": [-1.0]' }
}
slicing_specs {}
slicing_specs { feature_keys: "label" }
"""


def write_examples(examples: Examples, file: Path) -> None:
    """Writes the test split to a TFRecord file of tf.Examples with `image_bytes` (PNG) and `label`."""
    from components.dataset_reader import read

    with tf.io.TFRecordWriter(str(file)) as writer:
        for image, label in read(examples, examples.splits["test"]):
            features = {
                "image_bytes": tf.train.Feature(bytes_list=tf.train.BytesList(value=[tf.io.encode_png(image).numpy()])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[int(label)])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def artifacts(options: argparse.Namespace, folder: Path) -> tuple[Examples, Model]:
    """Returns the dataset, whose `test` split is the test split, and the version as if it had just been trained."""
    version = version_at(options.version)
    (folder / "saved_model").symlink_to(options.version.absolute())
    model = Model(
        folder=folder,
        class_names=version.class_names,
        image_height=version.image_height,
        image_width=version.image_width,
        recipe="benchmark",
        parameter_count=0,
        epochs=0,
        trained_images=0,
    )
    info = json.loads((options.dataset / "dataset_info.json").read_text())
    count = next(sum(map(int, split["shardLengths"])) for split in info["splits"] if split["name"] == "test")
    examples = Examples(
        folder=folder,
        dataset=info["name"],
        content="",
        directory=options.dataset.absolute(),
        splits={"train": "train", "test": "test"},
        example_counts={"test": count},
        class_names=version.class_names,
        image_shape=(version.image_height, version.image_width, 3),
    )
    return examples, model


def version_at(folder: Path) -> Version:
    """Returns the published version in a folder. Raises StopIteration if there is none."""
    return next(version for version in versions(folder.parent) if version.number == int(folder.name))


WAYS: dict[str, Callable[[argparse.Namespace, Path], float]] = {
    "prediction, two models": lambda options, folder: predict(options, folder, with_baseline=True),
    "component, two models, 11 slices": lambda options, folder: evaluate(options, folder, (), with_baseline=True),
    "component, two models, 17 slices": lambda options, folder: evaluate(
        options, folder, ("brightness", "contrast"), with_baseline=True
    ),
    "TFMA, two models, 11 slices": lambda options, folder: run_model_analysis(options, folder, with_baseline=True),
    "prediction, one model": lambda options, folder: predict(options, folder, with_baseline=False),
    "component, one model, 11 slices": lambda options, folder: evaluate(options, folder, (), with_baseline=False),
    "TFMA, one model, 11 slices": lambda options, folder: run_model_analysis(options, folder, with_baseline=False),
}

if __name__ == "__main__":
    main()
