"""The parts of `benchmarks.gpu`: what each of them does, in the process that it has to itself.

    python -m benchmarks.gpu_parts PART SETTINGS    # as benchmarks.gpu calls it

The last line that it prints is JSON: `right`, whether all is as it should be; `text`, for a table; and `figures`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from benchmarks.train import RunFigures

# Two trainings of `cifar81` with other seeds differ by 0.4 points as a rule (a standard deviation of 0.27 each).
MOST_POINTS_APART = 1.5
# In place of the recipes' own values, so that a CPU is done with them in seconds.
QUICK_WHITENED: Mapping[str, Any] = {"widths": (8, 8, 16), "batch_size": 50, "epochs": 0.1}
QUICK_RESNET: Mapping[str, Any] = {
    "widths": (8, 8),
    "blocks_per_width": (1, 1),
    "batch_size": 8,
    "image_size_pixels": 64,
}


class Settings(NamedTuple):
    """What `benchmarks.gpu` was asked for, and a folder to work in that all parts share."""

    dataset: str
    work: Path
    quick: bool


class Found(NamedTuple):
    """What a part found."""

    right: bool
    text: str
    figures: Mapping[str, Any]


def look_at_device(settings: Settings) -> Found:
    """Finds what TensorFlow sees, and how fast it multiplies matrices. Without a GPU it is right only if quick."""
    import tensorflow as tf

    from benchmarks.machine import measure_machine
    from components.train.precision import choose_precision

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus and not settings.quick:
        return Found(False, "TensorFlow sees no GPU: see docs/benchmarks/support-matrix.md for what it needs", {})
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    machine, chosen = measure_machine(), choose_precision("auto")
    text = f"{', '.join(names) or 'no GPU'}; {machine}; auto takes {chosen.type}, because {chosen.reason}"
    figures = {"gpus": names, "machine": machine._asdict(), "auto": chosen.type}
    return Found(not gpus or chosen.type == "bfloat16", text, figures)


def train_cifar94(settings: Settings) -> Found:
    """Trains `cifar94` on all of CIFAR-10 and judges it on the test images."""
    return _train("cifar94", settings)


def train_cifar96(settings: Settings) -> Found:
    """Trains `cifar96`, likewise."""
    return _train("cifar96", settings)


def compare_precisions(settings: Settings) -> Found:
    """Trains `cifar81` in both precisions from one seed. They must be about as accurate as each other."""
    runs = {precision: _run("cifar81", settings, precision=precision) for precision in ("float32", "bfloat16")}
    accuracies = {precision: run.single_view_accuracy for precision, run in runs.items()}
    points = 100 * (accuracies["bfloat16"] - accuracies["float32"])
    text = "; ".join(f"{precision} {_describe(run)}" for precision, run in runs.items())
    figures = {precision: run._asdict() for precision, run in runs.items()}
    return Found(settings.quick or abs(points) <= MOST_POINTS_APART, f"{text}; {points:+.2f} points", figures)


def measure_resnet50(settings: Settings) -> Found:
    """Measures steps of `resnet50` at 224 pixels, from photos that are decoded and from one batch in memory."""
    from benchmarks.synthetic_images import SyntheticImages, write_folder
    from benchmarks.train import ingest
    from benchmarks.training_steps import measure_steps
    from components.train import TrainConfig

    config = TrainConfig.model_validate({"recipe": "resnet50", **(QUICK_RESNET if settings.quick else {})})
    photos = write_folder(settings.work / "photos", SyntheticImages(10), 100 if settings.quick else 3000)
    data = ingest(str(photos), settings.work / "photos_root")
    steps = measure_steps(config, *data, 1.0 if settings.quick else 10.0)
    from_memory = steps.images_per_second * (1 + steps.data_cost_fraction)
    text = (
        f"{steps.images_per_second / config.batch_size:.2f} steps/s of {config.batch_size} images at "
        f"{config.image_size_pixels} pixels in {steps.precision}: {steps.images_per_second:,.0f} images/s, "
        f"{from_memory:,.0f} from memory; {steps.gflop_per_second / 1000:.3g} TFLOP/s"
    )
    return Found(True, text, {"batch_size": config.batch_size, **steps._asdict()})


def export(settings: Settings) -> Found:
    """Runs the whole line on the embedded sample. What it publishes must predict the same without the GPU."""
    from benchmarks.train import in_its_own_process
    from components.push import PushConfig

    version = _publish(settings)
    with_gpu = in_its_own_process(predictions, version)
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # of the processes that begin from here on
    without = in_its_own_process(predictions, version)
    same = float((with_gpu.argmax(1) == without.argmax(1)).mean())
    furthest = float(abs(with_gpu - without).max())
    card = json.loads((version / "assets.extra" / "model_card.json").read_bytes())
    files = {row["file"]: row["comparison"]["max_probability_difference"] for row in card["files"]}
    text = (
        f"published; SavedModel without the GPU: same class for {same:.2%} of {len(without):,} images, probabilities "
        f"within {furthest:.1e}; Core ML within {files['Classifier.mlpackage']:.1e}"
    )
    figures = {"same_class_fraction": same, "max_probability_difference": furthest, "files": files}
    bounds = PushConfig()
    return Found(same >= bounds.min_agreement and furthest <= bounds.max_probability_difference, text, figures)


def predictions(version: Path) -> np.ndarray:
    """Returns the probabilities of the embedded sample's test images, float32 (1000, 10), by a published SavedModel."""
    import numpy as np
    import tensorflow as tf
    import tensorflow_datasets as tfds

    from components.ingest.sources import EMBEDDED, find_prepared

    dataset = tfds.builder_from_directory(find_prepared("cifar10_sample", EMBEDDED)).as_dataset(split="test")
    serve = tf.saved_model.load(str(version)).signatures["serving_default"]
    return np.concatenate([serve(image=batch["image"])["probabilities"].numpy() for batch in dataset.batch(250)])


def _publish(settings: Settings) -> Path:
    """Returns the folder of the version that the line publishes. Exits with what `pipeline.run` says if it does not."""
    root = settings.work / "line"
    command = [sys.executable, "-m", "pipeline.run", f"--pipeline_root={root}", "--set=train.recipe=small_data"]
    command += [
        '--set=evaluate.thresholds={"accuracy":{"min":0.1}}',
        *(["--set=train.epochs=1"] if settings.quick else []),
    ]
    if exit_code := subprocess.run(command, stdout=sys.stderr).returncode:
        sys.exit(f"pipeline.run published nothing, exit code {exit_code}: its messages are above")
    return root / "pushed" / "1"


def _train(recipe: str, settings: Settings) -> Found:
    run = _run(recipe, settings)
    return Found(True, _describe(run), run._asdict())


def _run(recipe: str, settings: Settings, **values: Any) -> RunFigures:
    from benchmarks.train import ingest, train_once
    from components.train import TrainConfig

    data = ingest(settings.dataset, settings.work / "root")
    values |= {"mirror_averaging": False, **(QUICK_WHITENED if settings.quick else {})}
    config = TrainConfig.model_validate({"recipe": recipe, **values})
    return train_once(config, *data, Path(tempfile.mkdtemp(dir=settings.work)))


def _describe(run: RunFigures) -> str:
    return (
        f"{run.mirrored_accuracy:.2%} mirrored, {run.single_view_accuracy:.2%} single view after "
        f"{run.training_seconds:.1f} s, {run.images_per_second:,.0f} images/s"
    )


PARTS: Mapping[str, Callable[[Settings], Found]] = {
    "device": look_at_device,
    "cifar94": train_cifar94,
    "resnet50": measure_resnet50,
    "export": export,
    "precisions": compare_precisions,
    "cifar96": train_cifar96,
}


def main() -> None:
    """Does the part that the command line names, and prints what it found."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    given = json.loads(sys.argv[2])
    found = PARTS[sys.argv[1]](Settings(given["dataset"], Path(given["work"]), given["quick"]))
    print(json.dumps(found._asdict()))


if __name__ == "__main__":
    main()
