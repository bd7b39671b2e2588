"""The component as the orchestrator calls it."""

from __future__ import annotations

import dataclasses
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import coremltools as ct
import pytest
import tensorflow as tf
from pydantic import ValidationError

from components.artifacts import Check, Evaluation, Examples, Model
from components.artifacts import Push as Published
from components.component import ComponentError, Workspace
from components.images.decode_graph import decode_on_white, decode_upright, turn_upright
from components.images.graph_exif import orientation
from components.images.resize import crop_and_resize
from components.push import Push, PushConfig
from components.registry.versions import numbers
from tests.components.push.networks import Linear, decode, save


@pytest.fixture(scope="module")
def pushed(
    tiny: Examples, model: Model, evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, Published]:
    """The default config's version, and where it was made."""
    root = tmp_path_factory.mktemp("root")
    (root / "attempt").mkdir()
    (root / "scratch").mkdir()
    workspace = Workspace(root / "attempt", root / "scratch", root, provenance={"run_id": "run-1", "artifacts": {}})
    return workspace, Push(PushConfig(author="A. Author", license="MIT")).run(workspace, tiny, model, evaluation)


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
    assert list(published.max_probability_difference) == ["saved_model", "Classifier.mlpackage"]
    assert sorted(path.name for path in (workspace.root / "pushed").iterdir()) == [".lock", "1", "best", "latest"]


def test_card_compares_every_file_with_the_evaluation(
    pushed: tuple[Workspace, Published], evaluation: Evaluation
) -> None:
    card = json.loads((pushed[1].version_directory / "assets.extra/model_card.json").read_bytes())
    assert [row["variant"] for row in card["files"]] == ["saved_model", "float16"]
    assert card["test_images"] == 48
    assert card["preprocessing"]["crop_and_scale"] == "centerCrop"
    for row in card["files"]:
        assert row["comparison"]["images"] == 48
        assert row["comparison"]["accuracy"] == evaluation.metrics["accuracy"]
        assert row["comparison"]["agreement"] == 1
    # Two passes (image and mirror) of 2x2x3x24 at 31x31, 3x3x24x16 at 31x31, 3x3x16x16 at 15x15 positions.
    convolutions = 2 * 2 * (31 * 31 * (12 * 24 + 9 * 24 * 16) + 15 * 15 * 9 * 16 * 16)
    assert convolutions < card["operations_per_image"] < 1.1 * convolutions


def test_package_says_what_it_tells_apart_and_where_it_comes_from(pushed: tuple[Workspace, Published]) -> None:
    spec = ct.utils.load_spec(str(pushed[1].version_directory / "assets.extra/Classifier.mlpackage"))
    about = spec.description.metadata
    assert (about.author, about.license, about.versionString) == ("A. Author", "MIT", "c0ffee000000")
    assert about.shortDescription == "Tells 3 classes of images apart: red, green, blue."
    assert about.userDefined["lineage.run_id"] == "run-1"
    assert "accuracy" in json.loads(about.userDefined["lineage.metrics"])


def test_same_model_again_is_the_same_version(
    pushed: tuple[Workspace, Published], tiny: Examples, model: Model, evaluation: Evaluation, tmp_path: Path
) -> None:
    """Whether the attempt that published it was killed before its manifest was committed, or not."""
    workspace, published = pushed
    again = dataclasses.replace(workspace, folder=tmp_path, provenance={"run_id": "run-2"})
    repeated = Push(PushConfig(author="A. Author", license="MIT")).run(again, tiny, model, evaluation)
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
    with pytest.raises(
        ComponentError, match=r"saved_model \(serving_default\) names another top class .* of 48 images"
    ):
        Push(PushConfig(variants=())).run(workspace, tiny, other, evaluation)
    assert _nothing_in(workspace.root / "pushed")


def test_damaged_model_is_refused(
    workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation, tmp_path: Path
) -> None:
    shutil.copytree(model.folder, tmp_path / "model")
    variables = tmp_path / "model/saved_model/variables/variables.data-00000-of-00001"
    content = bytearray(variables.read_bytes())
    content[: len(content) // 2] = bytes(len(content) // 2)
    variables.write_bytes(content)
    damaged = model.model_copy(update={"folder": tmp_path / "model"})
    with pytest.raises(
        ComponentError, match=r"model/saved_model cannot be loaded: .*Checksum does not match.* --force train"
    ):
        Push(PushConfig(variants=())).run(workspace, tiny, damaged, evaluation)
    assert _nothing_in(workspace.root / "pushed")


def _dropping_opacity(data: tf.Tensor) -> tf.Tensor:
    image = tf.io.decode_image(data, channels=3, expand_animations=False)
    return crop_and_resize(turn_upright(image, orientation(data)), 32, 32)


def _squeezing(data: tf.Tensor) -> tf.Tensor:
    return tf.saturate_cast(tf.image.resize(decode_upright(data), (32, 32)), tf.uint8)


WRONG: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "swaps red and blue": lambda data: decode(data, 32)[..., ::-1],
    "ignores EXIF": lambda data: crop_and_resize(decode_on_white(data), 32, 32),
    "drops opacity": _dropping_opacity,
    "squeezes instead of cropping": _squeezing,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_answer_of_the_signature_for_files_alone_is_refused(
    wrong: str, workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation, tmp_path: Path
) -> None:
    """The fresh process asks each signature, and `encoded` with every kind of file: here only that one is wrong."""
    loaded = tf.saved_model.load(str(model.saved_model))
    others = {name: loaded.signatures[name] for name in ("serving_default", "pixels")}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "image_bytes")])
    def encoded(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        shape = tf.TensorSpec((32, 32, 3), tf.uint8)
        return loaded.signatures["serving_default"](
            image=tf.map_fn(WRONG[wrong], image_bytes, fn_output_signature=shape)
        )

    tf.saved_model.save(loaded, str(tmp_path / "saved_model"), signatures={**others, "encoded": encoded})
    other = model.model_copy(update={"folder": tmp_path})
    with pytest.raises(ComponentError, match=r"saved_model \(encoded\) (names another top class|differs from)"):
        Push(PushConfig(variants=())).run(workspace, tiny, other, evaluation)
    assert _nothing_in(workspace.root / "pushed")


def test_saved_model_that_does_not_run_in_a_fresh_process_is_refused(
    workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation, tmp_path: Path
) -> None:
    """One signature is missing: it loads, and this process has no need of it."""
    loaded = tf.saved_model.load(str(model.saved_model))
    signatures = {name: loaded.signatures[name] for name in ("serving_default", "pixels")}
    tf.saved_model.save(loaded, str(tmp_path / "saved_model"), signatures=signatures)
    other = model.model_copy(update={"folder": tmp_path})
    with pytest.raises(ComponentError) as refusal:
        Push(PushConfig(variants=())).run(workspace, tiny, other, evaluation)
    assert "The copied SavedModel does not run in a fresh process (exit code 1): KeyError: 'encoded'" in str(
        refusal.value
    )
    log = workspace.folder / "logs" / "saved_model.txt"
    assert f"Nothing was published; see {log}." in str(refusal.value)
    assert "KeyError" in log.read_text()
    assert _nothing_in(workspace.root / "pushed")


@pytest.mark.parametrize("bytes_per_file", [20_000, 60_000], ids=["while it is copied", "while images are read"])
def test_limit_of_file_size_publishes_nothing(
    bytes_per_file: int, workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation
) -> None:
    """A disk that is full fails the same calls."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_per_file, limits[1]))
    try:
        said = r"Nothing was published in .*pushed: .*File too large.*\. Raise the limit of file size \(ulimit -f\)"
        with pytest.raises(ComponentError, match=said):
            Push(PushConfig()).run(workspace, tiny, model, evaluation)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert _nothing_in(workspace.root / "pushed")
    assert Push(PushConfig(variants=(), measured_runs=0)).run(workspace, tiny, model, evaluation).version == 1


def test_pointers_that_cannot_be_set_leave_the_version_and_the_next_push_sets_them(
    workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation
) -> None:
    pushed = workspace.root / "pushed"
    (pushed / "latest").mkdir(parents=True)  # a folder where the link should be
    with pytest.raises(
        ComponentError, match=r"Version 1 is published in .*pushed, but `latest` and `best` may not lead to it"
    ):
        Push(PushConfig(variants=(), measured_runs=0)).run(workspace, tiny, model, evaluation)
    assert numbers(pushed) == [1]
    (pushed / "latest").rmdir()
    assert Push(PushConfig(variants=(), measured_runs=0)).run(workspace, tiny, model, evaluation).version == 1
    assert (pushed / "latest").readlink() == Path("1")


def test_unwritable_root_is_refused(workspace: Workspace, tiny: Examples, model: Model, evaluation: Evaluation) -> None:
    (workspace.root / "pushed").write_text("a file where the folder should be")
    with pytest.raises(ComponentError, match=r"Nothing was published in .*pushed: .*exists"):
        Push(PushConfig()).run(workspace, tiny, model, evaluation)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"variants": ["float8"]}, "float16"),
        ({"variants": ["float16", "float16"]}, "repeated: float16"),
        ({"min_agreement": 1.5}, "less than or equal to 1"),
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


def _nothing_in(pushed: Path) -> bool:
    return {path.name for path in pushed.iterdir()} <= {".lock"}


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
