"""The component's face: its config, what makes its key, and how light it is."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components.component import ComponentError
from components.ingest import Ingest, IngestConfig


def config(**values: Any) -> IngestConfig:
    """As it comes from a file."""
    return IngestConfig.model_validate_json(json.dumps(values))


def test_defaults() -> None:
    assert config() == IngestConfig()
    assert config().splits is None
    splits = config(splits={"train": "train", "test": "test"}).splits
    assert splits is not None
    assert splits.named() == {"train": "train", "test": "test"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dataset": "my photos"}, '"my photos" is neither a TFDS name'),
        ({"dataset": "ftp://bucket/photos"}, "nor a path"),
        ({"dataset": ""}, '"" is neither a TFDS name'),
        ({"dataset": "labels.csv"}, 'nor a path .*"./photos.csv"'),
        ({"dataset": 3}, "valid string"),
        ({"dataset": "cifar10:1"}, '"cifar10:1" is neither'),
        ({"max_rejected_fraction": 1.5}, "less than or equal to 1"),
        ({"max_rejected_fraction": "5%"}, "valid number"),
        ({"shorter_side_pixels": 0}, "greater than or equal to 1"),
        ({"splits": {"train": "train"}}, "test\n  Field required"),
        ({"splits": {"train": "train", "test": "test", "holdout": "test"}}, "Extra inputs are not permitted"),
        ({"image": "photo"}, "Extra inputs are not permitted"),
    ],
)
def test_refuses_impossible_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**values)


@pytest.mark.parametrize(
    "dataset",
    [
        "cifar10",
        "imagenet_v2/matched-frequency:3.0.0",
        "hub:beans",
        "mnist:3.*.*",
        "/a/b",
        "./a",
        "../a",
        "~/a",
        ".",
        "s3://b/a",
        "./labels.csv",
        "s3://b/labels.csv",
        "gs://b/a",
    ],
)
def test_takes_names_and_paths(dataset: str) -> None:
    assert config(dataset=dataset).dataset == dataset


def test_places_are_no_part_of_the_identity() -> None:
    one = Ingest(config(dataset="/here/photos", data_dir="/here/tfds")).identity()
    assert one == Ingest(config(dataset="/there/photos", data_dir="/there/tfds")).identity()
    assert one["dataset"] == "photos"
    assert "here" not in json.dumps(one)
    assert one != Ingest(config(dataset="/here/pictures")).identity()
    assert one != Ingest(config(dataset="/here/photos", splits={"train": "train", "test": "test"})).identity()


def test_new_photos_change_the_fingerprint(tmp_path: Path) -> None:
    component = Ingest(config(dataset=str(tmp_path / "photos")))
    assert component.fingerprint(tmp_path, {}) is None
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "1.jpg").touch()
    before = component.fingerprint(tmp_path, {})
    assert before == component.fingerprint(tmp_path, {})
    (tmp_path / "photos" / "cat" / "2.jpg").touch()
    assert component.fingerprint(tmp_path, {}) != before


def test_a_manifest_is_known_by_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    (tmp_path / "labels.csv").write_text("file,label\n1.jpg,cat\n")
    component = Ingest(config(dataset=str(tmp_path / "labels.csv")))
    before = component.fingerprint(tmp_path / "root", {})
    assert component.identity()["dataset"] == "labels.csv"
    (tmp_path / "2.jpg").touch()
    assert component.fingerprint(tmp_path / "root", {}) == before
    (tmp_path / "labels.csv").write_text("file,label\n1.jpg,dog\n")
    assert component.fingerprint(tmp_path / "root", {}) != before
    (tmp_path / "labels.csv").write_text("file\n1.jpg\n")
    with pytest.raises(ComponentError, match="expected a header with the columns file and label"):
        component.fingerprint(tmp_path / "root", {})


def test_travels_to_workers() -> None:
    component = Ingest(config(dataset="mnist"))
    assert pickle.loads(pickle.dumps(component)) == component


def test_planning_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from components.ingest import Ingest, IngestConfig\n"
        "assert Ingest(IngestConfig()).fingerprint(Path(sys.argv[1]), {})\n"
        "heavy = {'tensorflow', 'tensorflow_datasets', 'apache_beam', 'numpy', 'PIL'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    finished = subprocess.run(command, env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
