"""The whole component on a real Beam graph with real TFMA, against NumPy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.artifacts import Evaluation, Examples, Model
from components.component import ComponentError, Workspace
from components.evaluate import Evaluate, EvaluateConfig, tables
from components.evaluate.analysis import CANDIDATE, Figures
from components.evaluate.prediction import Predicted
from tests.components import scanning
from tests.components.evaluate import classifiers

ODD_NAMES = ["a=b", "\"quoted\" 'too'", "<script>alert(1)</script>", "狐 🦊", "class=a=b", "0.5", "7", " ", "a\nb\\"]


def evaluate(thresholds: dict[str, Any] | None = None, **config: Any) -> Evaluate:
    """Slices by class alone, unless asked for more."""
    config = {"thresholds": thresholds or {"accuracy": {"min": 0.5}}, "slice_by": (), **config}
    return Evaluate(EvaluateConfig.model_validate(config))


def few_images(folder: Path, class_names: list[str], labels: list[int]) -> Examples:
    random = np.random.default_rng(0)
    pairs = [(random.integers(0, 256, (4, 4, 3), dtype=np.uint8), label) for label in labels]
    return scanning.prepare(folder, class_names, {"train": pairs[:1], "test": pairs})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny: Examples) -> Model:
    return classifiers.save(tmp_path_factory.mktemp("model"), tiny.class_names, classifiers.by_two_pixels)


def kept_predictions(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    shards = [np.load(path) for path in sorted((folder / "predictions").iterdir())]
    return tuple(np.concatenate([shard[key] for shard in shards]) for key in ("label", "probabilities"))


def expected_metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """The textbook's, in NumPy."""
    right = probabilities.argmax(axis=1) == labels
    confidence = probabilities.max(axis=1).astype(np.float64)
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = [abs(right[bins == i].sum() - confidence[bins == i].sum()) for i in range(15)]
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    rank = (probabilities > own[:, np.newaxis].astype(np.float32)).sum(axis=1)
    return {
        "accuracy": right.mean(),
        "top_2_accuracy": (rank < 2).mean(),
        "cross_entropy": -np.log(own).mean(),
        "expected_calibration_error": sum(gaps) / len(labels),
    }


def area(own: np.ndarray, others: np.ndarray) -> float:
    """Under the ROC curve: the share of pairs in order, ties by half."""
    above, equal = own[:, np.newaxis] > others, own[:, np.newaxis] == others
    return above.mean() + equal.mean() / 2


def test_figures_are_those_of_numpy(workspace: Workspace, tiny: Examples, model: Model) -> None:
    found: Evaluation = scanning.run(evaluate(top_k=2, shard_examples=20, batch_size=7), workspace, tiny, model)
    labels, probabilities = kept_predictions(workspace.folder)
    assert labels.tolist() == [index % 3 for index in range(48)]
    assert 0.5 < found.metrics["accuracy"] < 1
    areas = [area(probabilities[labels == index, index], probabilities[labels != index, index]) for index in range(3)]
    assert found.metrics.pop("auc") == pytest.approx(np.mean(areas))
    assert found.metrics == pytest.approx(expected_metrics(labels, probabilities), rel=1e-6)
    answers = probabilities.argmax(axis=1)
    matrix = np.zeros((3, 3), int)
    np.add.at(matrix, (labels, answers), 1)
    np.testing.assert_array_equal(found.confusion_matrix, matrix)
    assert list(found.slices) == ["class=red", "class=green", "class=blue"]
    for index, values in enumerate(found.slices.values()):
        own = labels == index
        precision, recall = (answers[own] == index).sum() / (answers == index).sum(), (answers[own] == index).mean()
        assert values == pytest.approx(
            {
                "example_count": 16,
                **expected_metrics(labels[own], probabilities[own]),
                "auc": areas[index],
                "precision": precision,
                "recall": recall,
                "f1": 2 * precision * recall / (precision + recall),
            },
            rel=1e-6,
        )
    assert found.example_count == 48
    assert found.blessed
    assert [check.metric for check in found.checks] == ["not_finite_count", "accuracy"]


def test_shards_and_retries_end_in_the_same_files(
    workspace: Workspace, tiny: Examples, model: Model, tmp_path: Path
) -> None:
    again = Workspace(folder=tmp_path / "again", scratch=workspace.scratch, root=workspace.root)
    (again.folder / "predictions").mkdir(parents=True)
    (again.folder / "predictions" / ".0123.npz").write_bytes(b"left by an attempt that was killed")
    scanning.run(evaluate(shard_examples=20), workspace, tiny, model)
    scanning.run(evaluate(shard_examples=20), again, tiny, model, beam_args=scanning.EVERY_BUNDLE_TWICE)
    files = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (workspace.folder, again.folder)
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 4


def test_slices_are_made_by_properties_and_features(workspace: Workspace, tmp_path: Path) -> None:
    examples = few_images(tmp_path / "data", ["a", "b"], [0] * 6 + [1] * 4)
    model = classifiers.save(tmp_path, ["a", "b"], classifiers.always(0, 2), size=(4, 4))
    thresholds = {
        "accuracy": {"slices": {"label=0": {"min": 1}, "label=7": {"min": 0}, "brightness=medium": {"min": 0}}}
    }
    found: Evaluation = scanning.run(
        evaluate(thresholds, slice_by=("brightness", "size", "label")), workspace, examples, model
    )
    # All images have one size: nothing to slice by.
    assert {name.partition("=")[0] for name in found.slices} == {"class", "brightness", "label"}
    assert found.slices["label=1"] == {**found.slices["label=1"], "example_count": 4, "accuracy": 0}
    assert sum(values["example_count"] for name, values in found.slices.items() if "brightness" in name) == 10
    assert found.reasons == (
        "accuracy of label=7 is unknown: the test split has no such image. It must be at least 0.",
    )


def test_a_feature_that_tells_almost_every_image_apart_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LARGEST_SLICE_COUNT", 2)
    figures = [Figures(CANDIDATE, (("id", str(index)),), {}) for index in range(3)]
    with pytest.raises(ComponentError, match='slice_by has "id", which has 3 values in the test split; at most 2'):
        tables.check_slice_count(figures)


def test_every_reason_is_given(workspace: Workspace, tiny: Examples, tmp_path: Path) -> None:
    model = classifiers.save(tmp_path, tiny.class_names, classifiers.always(1, classes=3))
    thresholds = {
        "accuracy": {"min": 0.4},
        "cross_entropy": {"max": 20},
        "recall": {"each_class": {"min": 0.5}},
        "precision": {"slices": {"class=green": {"max": 0.5}}},
    }
    found: Evaluation = scanning.run(evaluate(thresholds), workspace, tiny, model)
    assert not found.blessed
    assert found.reasons == (
        "accuracy is 0.3333: it must be at least 0.4. With few images to train on, here 0, a pretrained network mostly "
        'gets more right: set train.recipe to "auto".',
        "recall of class=red is 0: it must be at least 0.5.",
        "recall of class=blue is 0: it must be at least 0.5.",
    )
    assert [check.passed for check in found.checks] == [True, False, True, True, False, True, False]
    assert found.slices["class=red"]["precision"] == 0
    assert found.slices["class=green"]["f1"] == pytest.approx(0.5)


def test_a_model_that_gives_no_numbers_is_described_and_not_blessed(
    workspace: Workspace, tiny: Examples, tmp_path: Path
) -> None:
    model = classifiers.save(tmp_path, tiny.class_names, lambda images: images[:, 0, 0, :] * math.nan)
    thresholds = {"cross_entropy": {"max": 20}, "expected_calibration_error": {"max": 1}}
    found: Evaluation = scanning.run(evaluate(thresholds), workspace, tiny, model)
    assert not found.blessed
    assert found.reasons == (
        "The probabilities of 48 of 48 images are not finite numbers: the training diverged.",
        "cross_entropy is not a number. It must be at most 20.",
    )
    assert math.isnan(found.metrics["cross_entropy"])


def test_being_sure_of_the_wrong_class_is_costly(workspace: Workspace, tmp_path: Path) -> None:
    examples = few_images(tmp_path / "data", ["a", "b"], [0, 1, 1, 1])
    model = classifiers.save(
        tmp_path,
        ["a", "b"],
        lambda images: tf.stack([images[:, 0, 0, 0] * 0 + 1e4, images[:, 0, 0, 0] * 0], axis=1),
        size=(4, 4),
    )
    found: Evaluation = scanning.run(evaluate(), workspace, examples, model)
    # Keras takes 1e-7 for 0.
    assert found.metrics["cross_entropy"] == pytest.approx(-math.log(1e-7) * 3 / 4, rel=1e-3)


def test_exactly_the_threshold_is_enough(workspace: Workspace, tmp_path: Path) -> None:
    examples = few_images(tmp_path / "data", ["a", "b"], [0] * 7 + [1] * 3)
    model = classifiers.save(tmp_path, ["a", "b"], classifiers.always(0, 2), size=(4, 4))
    found: Evaluation = scanning.run(evaluate({"accuracy": {"min": 0.7}}), workspace, examples, model)
    assert found.metrics["accuracy"] == 0.7  # in float32 it is less
    assert found.blessed


def test_odd_class_names_name_their_slices(workspace: Workspace, tmp_path: Path) -> None:
    examples = few_images(tmp_path / "data", ODD_NAMES, [*range(len(ODD_NAMES)), 3])
    model = classifiers.save(tmp_path, ODD_NAMES, classifiers.always(3, len(ODD_NAMES)), size=(4, 4))
    thresholds = {"recall": {"slices": {f"class={name}": {"max": 0.5} for name in ODD_NAMES}}}
    found: Evaluation = scanning.run(evaluate(thresholds), workspace, examples, model)
    assert list(found.slices) == [f"class={name}" for name in ODD_NAMES]
    assert {name: values["recall"] for name, values in found.slices.items() if values["recall"]} == {"class=狐 🦊": 1}
    assert found.slices["class=狐 🦊"]["example_count"] == 2
    assert found.reasons == ("recall of class=狐 🦊 is 1: it must be at most 0.5.",)


def test_one_class_is_enough(workspace: Workspace, tmp_path: Path) -> None:
    examples = few_images(tmp_path / "data", ["cat"], [0, 0, 0])
    model = classifiers.save(tmp_path, ["cat"], classifiers.always(0, 1), size=(4, 4))
    found: Evaluation = scanning.run(evaluate(), workspace, examples, model)
    assert found.metrics == pytest.approx(
        {"accuracy": 1, "cross_entropy": 0, "expected_calibration_error": 0}, abs=1e-6
    )
    assert found.confusion_matrix == ((3,),)
    assert found.blessed


def test_a_thousand_classes_of_which_few_have_images(workspace: Workspace, tmp_path: Path) -> None:
    names = [f"class {index}" for index in range(1000)]
    examples = few_images(tmp_path / "data", names, [0, 998, 999, 999])
    model = classifiers.save(tmp_path, names, classifiers.always(999, 1000), size=(4, 4))
    found: Evaluation = scanning.run(evaluate({"recall": {"each_class": {"min": 0}}}), workspace, examples, model)
    assert list(found.slices) == ["class=class 0", "class=class 998", "class=class 999"]
    assert len(found.reasons) == 997
    assert found.reasons[0] == (
        "recall of class=class 1 is unknown: the test split has no such image. It must be at least 0."
    )
    assert (found.metrics["accuracy"], found.metrics["top_5_accuracy"]) == (0.5, 1.0)
    assert np.array(found.confusion_matrix).nonzero()[0].tolist() == [0, 998, 999]


def test_nothing_comes_of_no_shards(tmp_path: Path) -> None:
    assert scanning.run_cached(evaluate(), tmp_path) == 0


@pytest.mark.parametrize(
    ("predicted_count", "measured_count", "sentence"),
    [
        (48, 47, "has 48 images on record, but 48 were predicted and 47 measured"),
        (47, 47, "has 48 images on record, but 47 were predicted and 47 measured"),
        (96, 96, "has 48 images on record, but 96 were predicted and 96 measured"),
        (48, 48, "lacks 00000-of-00001.npz: workers on several machines must share one filesystem"),
    ],
)
def test_what_is_not_complete_is_refused(
    predicted_count: int, measured_count: int, sentence: str, workspace: Workspace, tiny: Examples, model: Model
) -> None:
    results = [
        Predicted("00000-of-00001.npz", predicted_count, 0),
        Figures(CANDIDATE, (), {"example_count": measured_count, "top_5_accuracy": 1.0}),
    ]
    with pytest.raises(ComponentError, match=sentence):
        evaluate().combine(workspace, results, tiny, model)
    assert not (workspace.folder / "evaluation.json").exists()
