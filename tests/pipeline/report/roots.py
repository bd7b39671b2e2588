"""Small roots made by hand: artifacts and records of runs that never ran."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from components.artifacts import (
    Artifact,
    Baseline,
    Check,
    Evaluation,
    Examples,
    Model,
    Push,
    SplitStatistics,
    Statistics,
)
from components.findings import Finding
from components.push.card import ModelCard, write_card
from pipeline.orchestrator.node_reporter import ended
from pipeline.orchestrator.run_record import NodeRecord, RunFolder, RunRecord, RunState
from pipeline.store.local_store import Store
from pipeline.store.manifest import BuildInfo, Identity, Manifest
from tests.pipeline.report import inspected

ORDER = ("ingest", "normalize", "train", "evaluate", "push")
LIBRARIES = {"tensorflow": "2.21.0", "keras": "3.15.1"}
MACHINE = {"processor": "AMD EPYC 7B13", "cores": 2, "system": "Linux x86_64"}
MEASUREMENT = {
    "runtime": "TensorFlow 2.21.0",
    "start_milliseconds": 1250.5,
    "memory_bytes": 61_000_000,
    "latency": [
        {
            "threads": 1,
            "median_milliseconds": 3.25,
            "p95_milliseconds": 4.5,
            "processor_milliseconds": 3.0,
            "runs": 100,
        },
        {"threads": 2, "median_milliseconds": 2.5, "p95_milliseconds": 120.0, "processor_milliseconds": 4.0, "runs": 9},
    ],
}
STARTED = datetime.datetime(2026, 11, 23, 2, 45, tzinfo=datetime.timezone.utc)


def noon() -> datetime.datetime:
    return datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.timezone.utc)


def probabilities_for(labels: np.ndarray, class_count: int, right: float, seed: int = 0) -> np.ndarray:
    """float32 (n, classes): about a fraction `right` of the images are classified rightly."""
    random = np.random.default_rng(seed)
    scores = random.normal(0, 1, (len(labels), class_count))
    lift = np.where(random.random(len(labels)) < right, 4.0, -2.0) + np.abs(scores).max(1)
    scores[np.arange(len(labels)), labels] = lift
    exponentials = np.exp(scores)
    return (exponentials / exponentials.sum(1, keepdims=True)).astype(np.float32)


class Root:
    """Commits artifacts below a folder, and records runs of them."""

    def __init__(self, path: Path, examples: Examples) -> None:
        self.path = path
        self.examples = examples
        self.channel_mean = (0.49, 0.48, 0.44)  # of the images that the next run has
        self.class_counts: dict[str, tuple[int, ...]] = {}  # by split, where the classes are not balanced
        self.hard_epochs: tuple[int, ...] = ()  # those that left easy images out
        self.recipe_reason = ""
        self.precision: Literal["float32", "bfloat16"] = "float32"
        self.findings: tuple[Finding, ...] | None = None  # of the next run; None: it does not look for any
        self.test_vectors: np.ndarray | None = None  # float16 (n, features), of the next run; None: it does not embed
        self.names = examples.class_names
        self._store = Store(path)

    def run(
        self,
        run_id: str,
        labels: np.ndarray | None = None,
        probabilities: np.ndarray | None = None,
        *,
        state: RunState = "pushed",
        to: str = "push",
        minutes: int = 0,
        config: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Evaluation | None:
        """Records a run up to the component `to`. `changes` are fields of its Evaluation."""
        config = config or {"train": {"recipe": "small_data"}, "evaluate": {}}
        made: dict[str, tuple[Manifest, Artifact]] = {}
        order = self._order()
        for name in order[: order.index(to) + 1]:
            identity = Identity(
                component=name,
                config=config.get(name, {}),
                # Another code for each run: two models of the same config would be one, as the first one stays.
                code={f"components/{name}/__init__.py:run": run_id if name == "train" else "1"},
                libraries={},
                inputs={manifest.kind: manifest.digest for manifest, _ in made.values()},
                fingerprint=self.examples.content if name == "ingest" else "",
            )
            folder = self._store.open_attempt(identity).folder
            if name == "push":
                self._publish({each: manifest for each, (manifest, _) in made.items()})
            artifact = self._make(name, folder, labels, probabilities, changes).write()
            times = BuildInfo(
                run_id=run_id,
                finished=(STARTED + datetime.timedelta(minutes=minutes)).isoformat(),
                seconds=12.5,
                host="here",
                python="3.11",
                libraries=LIBRARIES,
            )
            inputs = {manifest.kind: manifest.reference for manifest, _ in made.values()}
            manifest = self._store.commit(identity, artifact, inputs, times)
            made[name] = manifest, artifact
        self._record(run_id, state, minutes, config, {name: manifest for name, (manifest, _) in made.items()})
        evaluation = made["evaluate"][1] if "evaluate" in made else None
        assert evaluation is None or isinstance(evaluation, Evaluation)
        return evaluation

    def _order(self) -> tuple[str, ...]:
        embed = ("embed",) if self.test_vectors is not None else ()
        inspect = ("inspect",) if self.findings is not None else ()
        return (*ORDER[:2], *embed, *inspect, *ORDER[2:])

    def _make(
        self,
        name: str,
        folder: Path,
        labels: np.ndarray | None,
        probabilities: np.ndarray | None,
        changes: dict[str, Any],
    ) -> Artifact:
        if name == "ingest":
            return self.examples.model_copy(update={"folder": folder})
        if name == "normalize":
            return self._statistics(folder)
        if name == "embed":
            assert labels is not None
            assert self.test_vectors is not None
            return inspected.embeddings(folder, self.test_vectors, labels)
        if name == "inspect":
            return inspected.findings(folder, self.examples.example_counts, self.findings or ())
        if name == "train":
            return self._model(folder, b"" if probabilities is None else probabilities.tobytes())
        if name == "evaluate":
            assert labels is not None
            assert probabilities is not None
            return evaluate(folder, self.names, labels, probabilities, changes)
        if not changes.get("blessed", True):
            return Push(folder=folder, version=None, reasons=("the model was not blessed",))
        return Push(folder=folder, version=1, version_directory=self.path / "pushed" / "1")

    def _statistics(self, folder: Path) -> Statistics:
        counts = self.examples.example_counts
        split = {
            name: SplitStatistics(
                example_count=count,
                pixel_count=count * 1024,
                channel_mean=self.channel_mean,
                channel_std=(0.24, 0.24, 0.26),
                patch_mean=(0.5,) * 12,
                patch_covariance=((0.0,) * 12,) * 12,
                class_counts=self.class_counts.get(name, tuple(count // len(self.names) for _ in self.names)),
                image_sizes={"32x32": count},
            )
            for name, count in counts.items()
        }
        return Statistics(
            folder=folder,
            splits=split,
            duplicate_count=3,
            leaked_count=1,
            duplicates=({"train": 1, "test": 1}, {"train": 2}),
            warnings=("1 image of the test split is also in another split.",),
        )

    def _model(self, folder: Path, weights: bytes) -> Model:
        (folder / "saved_model").mkdir()
        (folder / "saved_model" / "weights").write_bytes(weights)  # another model, another digest
        history = [
            {
                "epoch": epoch,
                "learning_rate": 0.2 / epoch,
                "loss": 2.3 * 0.9**epoch,
                "accuracy": 1 - 0.9**epoch,
                "validation_loss": 2.3 * 0.92**epoch,
                "validation_accuracy": 1 - 0.92**epoch,
                **({"left_out_images": 9 * (epoch in self.hard_epochs)} if self.hard_epochs else {}),
            }
            for epoch in range(1, 17)
        ]
        (folder / "history.json").write_text(json.dumps(history))
        (folder / "logs").mkdir()
        (folder / "logs" / "training.json").write_text(json.dumps({"seconds": 131.2, "images_per_second": 612.0}))
        return Model(
            folder=folder,
            class_names=self.names,
            image_height=self.examples.image_shape[0] or 32,
            image_width=self.examples.image_shape[1] or 32,
            recipe="small_data",
            recipe_reason=self.recipe_reason,
            precision=self.precision,
            parameter_count=214_346,
            epochs=16,
            trained_images=self.examples.example_counts["train"],
            validation_accuracy=0.79,
        )

    def _publish(self, manifests: dict[str, Manifest]) -> None:
        """Version 1, unless it is there, with nothing but the card and the record that push writes."""
        version = self.path / "pushed" / "1"
        if version.exists():
            return
        (version / "assets.extra").mkdir(parents=True)
        artifacts = {name: manifest.model_dump() for name, manifest in manifests.items()}
        (version / "assets.extra" / "provenance.json").write_text(json.dumps({"artifacts": artifacts}))
        comparison = {
            "images": 1000,
            "accuracy": 0.8,
            "accuracy_difference": -0.001,
            "agreement": 0.9995,
            "undecided": 0,
        }
        comparison["max_probability_difference"] = 1.7e-4
        row = {"bytes": 431_204, "size_over_float32": 0.51, "activations": "float16", "comparison": comparison}
        files = [
            row
            | {"file": "saved_model", "variant": "saved_model", "weights": "float32", "activations": "float32"}
            | {"measurement": MEASUREMENT},
            row | {"file": "Classifier.mlpackage", "variant": "float16", "weights": "float16"},
        ]
        card = {"class_names": self.names, "image_height": 32, "image_width": 32, "parameter_count": 214_346}
        card |= {"operations_per_image": 57_000_000, "files": files, "machine": MACHINE}
        write_card(ModelCard.model_validate(card), version)

    def _record(
        self, run_id: str, state: RunState, minutes: int, config: dict[str, Any], manifests: dict[str, Manifest]
    ) -> None:
        run = RunFolder(self.path, run_id)
        run.create()
        nodes = [
            ended(NodeRecord(component=name, state="ran", seconds=12.5), manifests[name])
            if name in manifests
            else NodeRecord(component=name, state="skipped", reason="--to")
            for name in self._order()
        ]
        run.write(
            RunRecord(
                run_id=run_id,
                state=state,
                command=("run.py", "--runner=DirectRunner", "--set", "train.epochs=16"),
                started=(STARTED + datetime.timedelta(minutes=minutes)).isoformat(timespec="milliseconds"),
                seconds=178.2,
                process=1,
                config=config,
                nodes=tuple(nodes),
            )
        )


def baseline_of(evaluation: Evaluation, interval: tuple[float, float] = (-0.05, 0.15)) -> Baseline:
    """What another evaluation says of it as the baseline, as version 1."""
    slices = {"overall": evaluation.metrics, **evaluation.slices}
    return Baseline(
        version=1,
        model_digest="0" * 64,
        metrics=evaluation.metrics,
        slices=evaluation.slices,
        change_intervals={name: dict.fromkeys(metrics, interval) for name, metrics in slices.items()},
    )


def evaluate(
    folder: Path, names: Sequence[str], labels: np.ndarray, probabilities: np.ndarray, changes: dict[str, Any]
) -> Evaluation:
    """The artifact that the component of that name would leave, in two shards."""
    (folder / "predictions").mkdir()
    columns = {"label": labels, "probabilities": probabilities}
    if (said := changes.pop("baseline_probabilities", None)) is not None:
        columns["baseline_probabilities"] = said
    for shard, part in enumerate(np.array_split(np.arange(len(labels)), 2)):
        path = folder / "predictions" / f"{shard:05}-of-00002.npz"
        np.savez(path, **{name: column[part] for name, column in columns.items()})
    predicted = probabilities.argmax(1) if len(labels) else labels
    matrix = np.zeros((len(names), len(names)), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    accuracy = float((predicted == labels).mean()) if len(labels) else 0.0
    fields: dict[str, Any] = {
        "blessed": True,
        "checks": (
            Check(
                metric="accuracy",
                slice="overall",
                value=accuracy,
                bound=">= 0.3",
                passed=True,
                reason=f"accuracy is {accuracy:.4f}, at least 0.3 was asked for.",
            ),
        ),
        "example_count": len(labels),
        "metrics": {"accuracy": accuracy, "cross_entropy": 0.6251},
        "slices": dict(_class_slices(names, labels, predicted)),
        "class_names": tuple(names),
        "confusion_matrix": tuple(tuple(map(int, row)) for row in matrix),
    }
    return Evaluation(folder=folder, **{**fields, **changes})


def _class_slices(
    names: Sequence[str], labels: np.ndarray, predicted: np.ndarray
) -> Iterator[tuple[str, dict[str, float]]]:
    for label, name in enumerate(names):
        of_class = labels == label
        if of_class.any():
            yield f"class={name}", {"accuracy": float((predicted[of_class] == label).mean())}
