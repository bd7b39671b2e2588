"""The component as the orchestrator calls it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import coremltools as ct
import pytest
from pydantic import ValidationError

from components.artifacts import Check, Evaluation, Examples, Model
from components.artifacts import Push as Published
from components.component import Refusal, Workspace
from components.push import Push, PushConfig
from tests.components.push.networks import Linear, save


@pytest.fixture(scope="module")
def pushed(
    tiny: Examples, model: Model, evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, Published]:
    """The default config's version, and where it was made."""
    root = tmp_path_factory.mktemp("root")
    (root / "attempt").mkdir()
    (root / "scratch").mkdir()
    workspace = Workspace(root / "attempt", root / "scratch", root, provenance={"run_id": "run-1", "artifacts": {}})
    return workspace, Push(PushConfig(author="A. Author", licence="MIT")).run(workspace, tiny, model, evaluation)


def test_version_holds_serving_model_package_card_and_provenance(pushed: tuple[Workspace, Published]) -> None:
    workspace, published = pushed
    assert published.version == 1
    assert published.version_directory == workspace.root / "pushed" / "1"
    provenance = json.loads((published.version_directory / "assets.extra/provenance.json").read_bytes())
    assert provenance["run_id"] == "run-1"
    files = {path.relative_to(published.version_directory).as_posix() for path in _files(published.version_directory)}
    assert set(provenance["files"]) == files - {"assets.extra/provenance.json"}
    assert {"saved_model.pb", "assets.extra/model_card.json"} <= files
    assert "assets.extra/Classifier.mlpackage/Data/com.apple.CoreML/weights/weight.bin" in files
    assert list(published.largest_probability_difference) == ["saved_model", "Classifier.mlpackage"]
    assert [path.name for path in (workspace.root / "pushed").iterdir()] == ["1"]


def test_card_compares_every_file_with_the_evaluation(
    pushed: tuple[Workspace, Published], evaluation: Evaluation
) -> None:
    card = json.loads((pushed[1].version_directory / "assets.extra/model_card.json").read_bytes())
    assert [row["variant"] for row in card["files"]] == ["saved_model", "float16"]
    assert card["preprocessing"]["crop_and_scale"] == "centerCrop"
    for row in card["files"]:
        assert row["comparison"]["images"] == 48
        assert row["comparison"]["accuracy"] == evaluation.metrics["accuracy"]
        assert row["comparison"]["agreement"] == 1
    # Two passes (image and mirror) of 2x2x3x24 at 31x31, 3x3x24x16 at 31x31, 3x3x16x16 at 15x15 positions.
    convolutions = 2 * 2 * (31 * 31 * (12 * 24 + 9 * 24 * 16) + 15 * 15 * 9 * 16 * 16)
    assert convolutions < card["operations_per_image"] < 1.1 * convolutions


def test_package_says_what_a_phone_developer_expects(pushed: tuple[Workspace, Published]) -> None:
    spec = ct.utils.load_spec(str(pushed[1].version_directory / "assets.extra/Classifier.mlpackage"))
    (image,) = spec.description.input
    assert image.name == "image"
    assert (image.type.imageType.width, image.type.imageType.height) == (32, 32)
    assert image.type.imageType.colorSpace == ct.proto.FeatureTypes_pb2.ImageFeatureType.RGB
    assert {output.name for output in spec.description.output} == {"classLabel", "classProbability"}
    assert all(feature.shortDescription for feature in [image, *spec.description.output])
    assert spec.description.predictedFeatureName == "classLabel"
    assert spec.description.predictedProbabilitiesName == "classProbability"
    metadata = spec.description.metadata
    assert (metadata.author, metadata.license, metadata.versionString) == ("A. Author", "MIT", "c0ffee000000")
    assert metadata.shortDescription == "Tells 3 classes of images apart: red, green, blue."
    assert metadata.userDefined["com.apple.coreml.model.preview.type"] == "imageClassifier"
    assert metadata.userDefined["lineage.run_id"] == "run-1"


def test_same_model_again_is_the_same_version(
    pushed: tuple[Workspace, Published], tiny: Examples, model: Model, evaluation: Evaluation, tmp_path: Path
) -> None:
    """Whether the attempt that published it was killed before its manifest was committed, or not."""
    workspace, published = pushed
    again = dataclasses.replace(workspace, folder=tmp_path, provenance={"run_id": "run-2"})
    repeated = Push(PushConfig(author="A. Author", licence="MIT")).run(again, tiny, model, evaluation)
    assert repeated.version_directory == published.version_directory
    assert (tmp_path / "push.json").read_bytes() == (workspace.folder / "push.json").read_bytes()


def test_nothing_is_published_that_is_not_blessed(
    workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation
) -> None:
    reason = "0.1 is below 0.9."
    check = Check(metric="accuracy", slice="overall", value=0.1, bound=">= 0.9", passed=False, reason=reason)
    rejected = evaluation.model_copy(update={"blessed": False, "checks": (check,)})
    published = Push(PushConfig()).run(workspace, tiny, model, rejected)
    assert published.version is None
    assert published.reasons == (reason,)
    assert Published.read(workspace.folder).reasons == published.reasons
    assert not (workspace.root / "pushed").exists()


def test_saved_model_that_differs_from_the_evaluated_one_is_refused(
    workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation, tmp_path: Path
) -> None:
    save(Linear(3), model.class_names, tmp_path / "saved_model")
    other = model.model_copy(update={"folder": tmp_path})
    with pytest.raises(Refusal, match=r"saved_model \(serving_default\) names another top class .* of 48 images"):
        Push(PushConfig(variants=())).run(workspace, tiny, other, evaluation)
    assert list((workspace.root / "pushed").iterdir()) == []


def test_damaged_model_is_refused(
    workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation, tmp_path: Path
) -> None:
    shutil.copytree(model.folder, tmp_path / "model")
    variables = tmp_path / "model/saved_model/variables/variables.data-00000-of-00001"
    content = bytearray(variables.read_bytes())
    content[: len(content) // 2] = bytes(len(content) // 2)
    variables.write_bytes(content)
    damaged = model.model_copy(update={"folder": tmp_path / "model"})
    with pytest.raises(Refusal, match=r"model/saved_model cannot be loaded: .*Checksum does not match.* --force train"):
        Push(PushConfig(variants=())).run(workspace, tiny, damaged, evaluation)
    assert list((workspace.root / "pushed").iterdir()) == []


def test_unwritable_root_is_refused(workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation) -> None:
    (workspace.root / "pushed").write_text("a file where the folder should be")
    with pytest.raises(Refusal, match=r"Nothing was published in .*pushed: .*exists"):
        Push(PushConfig()).run(workspace, tiny, model, evaluation)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"variants": ["float8"]}, "float16"),
        ({"variants": ["float16", "float16"]}, "repeated: float16"),
        ({"smallest_agreement": 1.5}, "less than or equal to 1"),
        ({"sparsity": 1.0}, "less than 1"),
        ({"deployment_target": "iOS9"}, "iOS15"),
        ({"varients": []}, "Extra inputs"),
    ],
)
def test_config_refuses(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PushConfig.model_validate_json(json.dumps(values))


def test_component_is_light() -> None:
    code = "import sys, components.push; print([m for m in ('tensorflow', 'coremltools', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
