from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import DEFAULT_PATH, load_config, make_config
from pipeline.errors import UsageError

GATE = {"evaluate": {"thresholds": {"accuracy": {"min": 0.5}}}}


def write(folder: Path, document: Any) -> Path:
    path = folder / "config.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_the_default_config_is_valid() -> None:
    assert load_config(DEFAULT_PATH).ingest.dataset == "cifar10_sample"


def test_settings_are_applied_on_top(tmp_path: Path) -> None:
    path = write(tmp_path, {**GATE, "ingest": {"splits": {"train": "train", "test": "test"}}})
    config = load_config(path, ["ingest.dataset=cifar10", "train.random_seed=3", "ingest.splits.train=train[:50%]"])
    assert config.ingest.dataset == "cifar10"
    assert config.train.random_seed == 3
    assert config.ingest.splits.train == "train[:50%]"


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("push.keep=null", "train.recipe=tutorial"),
        ("train.recipe=auto", "train.image_size_pixels=96"),
        ('evaluate.thresholds={"recall": {"slices": {"class=cat": {"min": 0.5}}}, "auc": {"change": {}}}',),
    ],
)
def test_the_config_in_a_record_is_accepted(settings: tuple[str, ...]) -> None:
    config = load_config(DEFAULT_PATH, settings)
    assert make_config(config.model_dump(mode="json"), "the record") == config


@pytest.mark.parametrize("metric", [{}, {"each_class": {"min": None}}])
def test_a_metric_without_a_bound_is_refused_where_it_is_given(metric: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="f1 says nothing"):
        make_config({"evaluate": {"thresholds": {"accuracy": {"min": 0.5}, "f1": metric}}}, "config")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"trian": {}}, "trian: unknown key. Did you mean train?"),
        ({"train": {"epoch": 3}}, "train.epoch: unknown key. Did you mean epochs?"),
        (
            {"train": {"recipe": "small_data", "epochs": "three"}},
            "train.epochs: Input should be a valid number, found 'three'.",
        ),
        (
            {"train": {"recipe": "small_data", "epochs": -1}},
            "train.epochs: Input should be greater than or equal to 0, found -1.",
        ),
        ({"train": {"epochs": 3}}, "train: epochs cannot be given beside the recipe auto, which becomes transfer or"),
        ({"train": {"recipe": "fats"}}, "unknown recipe 'fats'; there are: "),
        ({"evaluate": {"thresholds": {"accuracy": {"min": 75}}}}, "75"),
        ({"evaluate": {"thresholds": {"acuracy": {"min": 0.75}}}}, "acuracy"),
        (
            {"evaluate": {"thresholds": {"accuracy": {"slices": {"class=a": {"mim": 0.5}}}}}},
            "evaluate.thresholds.accuracy.slices.class=a.mim: unknown key. Did you mean min?",
        ),
        (
            {"evaluate": {"thresholds": {"accuracy": {"change": {"confidenc": 0.9}}}}},
            "evaluate.thresholds.accuracy.change.confidenc: unknown key. Did you mean confidence?",
        ),
        (
            {"evaluate": {"thresholds": {"f1": {"each_class": {"change": {"xyz": 0}}}}}},
            "change.xyz: unknown key. Known are confidence, min, min_images.",
        ),
        ("{", "is not JSON: Expecting property name"),
        ("[1]", "expected a JSON object with a section a component, found [1]."),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_value_and_the_alternatives(
    tmp_path: Path, document: Any, message: str
) -> None:
    path = write(tmp_path, {**GATE, **document} if isinstance(document, dict) else document)
    with pytest.raises(UsageError) as refused:
        load_config(path)
    assert message in str(refused.value)
    assert str(refused.value).startswith(str(path))
    assert len(str(refused.value).splitlines()) <= 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.epochs", "--set train.epochs: expected section.key=value"),
        ("train..epochs=3", "--set train..epochs=3: expected section.key=value"),
        ("ingest.dataset.name=x", "--set ingest.dataset.name=x: dataset holds 'mnist', not a section."),
    ],
)
def test_settings_that_cannot_be_read(tmp_path: Path, setting: str, message: str) -> None:
    path = write(tmp_path, {**GATE, "ingest": {"dataset": "mnist"}})
    with pytest.raises(UsageError, match="^" + message.replace(".", r"\.")):
        load_config(path, [setting])


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no config at .*none\.json\. Name one with --config FILE\."):
        load_config(tmp_path / "none.json")
    with pytest.raises(UsageError, match=r"cannot be read: Is a directory\."):
        load_config(tmp_path)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (["embed.image_size_pixels=128"], "embed.image_size_pixels is 128, and train.image_size_pixels is null, which"),
        (
            ["train.recipe=finetune", "embed.image_size_pixels=128"],
            "embed.image_size_pixels is 128, and train.image_size_pixels is 160: the features must be those of the "
            "network that is trained. Leave embed.image_size_pixels out, and set train.image_size_pixels",
        ),
        (["embed.backbone=EfficientNetLite1"], "embed.backbone is EfficientNetLite1, and train.backbone is Efficient"),
    ],
)
def test_features_that_train_could_not_read_are_refused_with_the_config(settings: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=re.escape(reason)):
        load_config(DEFAULT_PATH, settings)


def test_features_that_only_inspect_reads_may_be_of_any_network_and_size() -> None:
    settings = ["train.recipe=small_data", "inspect={}", "embed.image_size_pixels=128"]
    assert load_config(DEFAULT_PATH, settings).embed_filled_in.image_size_pixels == 128
    same = ["train.recipe=transfer", "embed.image_size_pixels=224", "embed.backbone=EfficientNetLite0"]
    assert load_config(DEFAULT_PATH, same).embed_filled_in.image_size_pixels == 224


@pytest.mark.parametrize("bound", ["near_copies_across_splits.max=0", "label_issues_fraction.max=0.1"])
def test_bounds_on_findings_that_nobody_makes_are_refused(bound: str) -> None:
    key = bound.partition(".")[0]
    sentence = f"evaluate.thresholds.{key} bounds what inspect finds, and inspect is null: nothing is looked for."
    with pytest.raises(UsageError, match=re.escape(sentence)):
        load_config(DEFAULT_PATH, [f"evaluate.thresholds.{bound}"])
    assert load_config(DEFAULT_PATH, ["inspect={}", f"evaluate.thresholds.{bound}"]).inspect is not None


def test_a_training_size_above_that_of_stored_photos_is_refused(tmp_path: Path) -> None:
    photos, prepared = tmp_path / "photos", tmp_path / "prepared"
    photos.mkdir()
    prepared.mkdir()
    (prepared / "dataset_info.json").write_text("{}")
    settings = ["train.recipe=finetune", "train.image_size_pixels=640"]
    with pytest.raises(UsageError) as refused:
        load_config(DEFAULT_PATH, [*settings, f"ingest.dataset={photos}"])
    assert str(refused.value) == (
        "pipeline_config.json with --set: the config: train.image_size_pixels is 640, and photos are stored shrunk to "
        "ingest.shorter_side_pixels, 512: they would be enlarged again. Raise ingest.shorter_side_pixels to at least "
        "640, or lower train.image_size_pixels to at most 512."
    )
    for accepted in (
        [f"ingest.dataset={photos}", "ingest.shorter_side_pixels=640"],
        [f"ingest.dataset={photos}", "ingest.shorter_side_pixels=null"],
        [f"ingest.dataset={prepared}"],
        [f"ingest.dataset={tmp_path / 'not here'}"],
        ["ingest.dataset=cifar10_sample"],
    ):
        assert load_config(DEFAULT_PATH, [*settings, *accepted]).train.image_size_pixels == 640
