"""`python -m pipeline.config`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from components.train.recipes import RECIPES
from pipeline.config import DEFAULT_PATH, load_config, load_document
from pipeline.config.__main__ import main
from pipeline.config.origins import trace_values
from pipeline.config.schema import make_schema
from pipeline.errors import ExitCode

DOCUMENT = {
    "ingest": {"data_dir": None, "splits": {"train": "train[:50%]", "test": "test"}},
    "train": {"recipe": "cifar94", "epochs": 2, "widths": None},
    "evaluate": {"thresholds": {"accuracy": {"min": 0.5}, "recall": {"slices": {"class=a": {"min": 0.1}}}}},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "config.json"
    written.write_text(json.dumps(DOCUMENT))
    return written


def origins(path: Path, *settings: str) -> dict[str, tuple[Any, str]]:
    values = trace_values(load_config(path, settings), load_document(path, settings), settings)
    return {".".join(value.names): (value.value, value.origin) for value in values}


def test_each_value_says_where_it_comes_from(path: Path) -> None:
    found = origins(path, "train.batch_size=7", "push.keep=3")
    assert found["train.recipe"] == ("cifar94", "file")
    assert found["train.epochs"] == (2.0, "file")
    assert found["train.batch_size"] == (7, "--set")
    assert found["train.activation"] == ("gelu", "recipe cifar94")
    assert found["train.momentum"] == (0.85, "default")  # no recipe of airbench's sets it
    assert found["train.random_seed"] == (0, "default")
    assert found["ingest.data_dir"] == (None, "file")
    assert found["ingest.splits.train"] == ("train[:50%]", "file")
    assert found["ingest.splits.validation"] == (None, "default")
    assert found["evaluate.thresholds.accuracy.min"] == (0.5, "file")
    assert found["evaluate.thresholds.recall.slices.class=a.min"] == (0.1, "file")
    assert found["evaluate.thresholds.auc"] == ({}, "default")
    assert found["push.keep"] == (3, "--set")


def test_a_value_that_nothing_reads_has_no_effect(path: Path) -> None:
    assert origins(path)["train.backbone"] == ("EfficientNetLite0", "no effect")  # of another network


def test_null_stands_for_the_value_of_the_recipe(path: Path) -> None:
    assert origins(path)["train.widths"] == ((64, 256, 256), "recipe cifar94")
    assert origins(path, "train.epochs=null")["train.epochs"] == (11.0, "recipe cifar94")


def test_a_setting_of_a_whole_section_replaces_the_file(path: Path) -> None:
    found = origins(path, 'train={"random_seed": 5}')
    assert found["train.random_seed"] == (5, "--set")
    assert found["train.recipe"] == ("auto", "default")


def test_what_the_recipe_auto_has_not_chosen_is_not_shown(path: Path) -> None:
    found = origins(path, 'train={"class_balance": 0.5}')
    assert found["train.image_size_pixels"] == (None, "recipe auto")
    assert found["train.class_balance"] == (0.5, "--set")
    assert "train.epochs" not in found


def test_the_text_has_a_section_for_each_component(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--config={path}", "--set", "train.epochs=3"]) == ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(path)
    assert [line for line in lines[1:] if line and not line.startswith(" ")] == [
        "ingest",
        "normalize",
        "embed",
        "inspect",
        "train",
        "evaluate",
        "push",
    ]
    assert ["epochs", "3.0", "--set"] in [line.split() for line in lines]


@pytest.mark.parametrize("recipe", ["auto", *RECIPES])
def test_the_json_is_a_config_that_says_the_same(
    recipe: str, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [f"train.recipe={recipe}", "train.epochs=null"]
    assert main([f"--config={path}", "--output=json", *(f"--set={each}" for each in settings)]) == ExitCode.DONE
    printed = tmp_path / "printed.json"
    printed.write_text(capsys.readouterr().out)
    assert load_config(printed) == load_config(path, settings)


def test_a_config_that_cannot_be_used_is_a_usage_error(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--config={path}", "--set", "train.epoch=3"]) == ExitCode.USAGE
    assert "train.epoch: unknown key. Did you mean epochs?" in capsys.readouterr().err


def test_the_schema_is_printed_without_a_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--schema", f"--config={tmp_path / 'none.json'}"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == make_schema()


def test_the_schema_is_valid_and_accepts_what_the_loader_accepts(path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(make_schema())
    jsonschema.validate(DOCUMENT, make_schema())
    jsonschema.validate(json.loads(DEFAULT_PATH.read_text()), make_schema())


@pytest.mark.parametrize(
    "document",
    [
        {"train": {"epoch": 3}},
        {"train": {"recipe": "fats"}},
        {"train": {"epochs": -1}},
        {"normalize": {"checks": {"drift": "maybe"}}},
        {"trian": {}},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(document: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**DOCUMENT, **document}, make_schema())
