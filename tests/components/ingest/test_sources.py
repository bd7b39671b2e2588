from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.component import ComponentError
from components.ingest.sources import EMBEDDED, find_prepared, locate, missing_path, require_known, split_manifest


def prepare(data_dir: Path, *names: str) -> None:
    for name in names:
        (data_dir / name).mkdir(parents=True)
        (data_dir / name / "dataset_info.json").touch()


def test_the_newest_prepared_version_is_found(tmp_path: Path) -> None:
    prepare(tmp_path, "toy/1.9.0", "toy/1.10.0")
    (tmp_path / "toy" / "2.0.0").mkdir()  # not prepared
    (tmp_path / "toy" / "incomplete.ABC_2.0.0").mkdir()
    assert find_prepared("toy", tmp_path) == tmp_path / "toy" / "1.10.0"
    assert find_prepared("toy:1.9.*", tmp_path) == tmp_path / "toy" / "1.9.0"
    assert find_prepared("toy:2.0.0", tmp_path) is None
    assert find_prepared("other", tmp_path) is None


def test_configs_and_namespaces(tmp_path: Path) -> None:
    prepare(tmp_path, "toy/small/1.0.0", "toy/large/1.0.0", "hub/toy/1.0.0")
    assert find_prepared("toy/large", tmp_path) == tmp_path / "toy" / "large" / "1.0.0"
    assert find_prepared("hub:toy", tmp_path) == tmp_path / "hub" / "toy" / "1.0.0"
    assert find_prepared("toy", tmp_path) is None
    (tmp_path / "toy" / ".config").mkdir()
    (tmp_path / "toy" / ".config" / "metadata.json").write_text(json.dumps({"default_config_name": "small"}))
    assert find_prepared("toy", tmp_path) == tmp_path / "toy" / "small" / "1.0.0"


def test_places_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, own, default = tmp_path / "root", tmp_path / "own", tmp_path / "default"
    monkeypatch.setenv("TFDS_DATA_DIR", str(default))
    assert locate("toy", None, root) is None
    prepare(root / "datasets", "toy/1.0.0")
    assert locate("toy", None, root) == root / "datasets" / "toy" / "1.0.0"
    prepare(default, "toy/1.0.0")
    assert locate("toy", None, root) == default / "toy" / "1.0.0"
    prepare(own, "toy/1.0.0")
    assert locate("toy", str(own), root) == own / "toy" / "1.0.0"
    assert locate("cifar10_sample", str(own), root) == EMBEDDED / "cifar10_sample" / "1.0.0"


def test_paths_are_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").mkdir()
    assert locate("./photos", None, tmp_path) == locate("~/photos", None, tmp_path) == tmp_path / "photos"
    assert locate(str(tmp_path / "photos"), None, tmp_path) == tmp_path / "photos"
    assert locate("./nothing", None, tmp_path) is None


def test_a_manifest_is_a_csv_file(tmp_path: Path) -> None:
    assert locate(str(tmp_path / "labels.csv"), None, tmp_path) is None
    for name in ("labels.CSV", "labels.csv", "notes.txt"):
        (tmp_path / name).touch()
    assert locate(str(tmp_path / "labels.CSV"), None, tmp_path) == tmp_path / "labels.CSV"
    assert locate(str(tmp_path / "notes.txt"), None, tmp_path) is None
    assert split_manifest("s3://bucket/a/labels.csv") == ("s3://bucket/a", "labels.csv")
    assert split_manifest("s3://bucket/a") == ("s3://bucket/a", "")


def test_says_which_path_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photo.jpg").touch()
    for there in ("./photos", "mnist", "s3://bucket/photos"):
        assert missing_path(there) == ""
    assert missing_path("./foto") == f"ingest.dataset is './foto': no such folder, seen from {tmp_path}"
    assert missing_path("./photo.jpg") == f"ingest.dataset is './photo.jpg': no such folder, seen from {tmp_path}"
    assert missing_path("./labels.csv") == f"ingest.dataset is './labels.csv': no such file, seen from {tmp_path}"


def test_common_names_are_known_at_a_glance() -> None:
    program = (
        "import sys; from components.ingest.sources import require_known\n"
        "for name in ('mnist', 'cifar10:3.*.*', 'beans', 'glue/cola', './photos'): require_known(name)\n"
        "sys.exit('tensorflow_datasets' in sys.modules)"
    )
    finished = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": "."})
    assert finished.returncode == 0


def test_other_names_are_looked_up() -> None:
    require_known("imagenet_resized")
    require_known("hub:photos")
    with pytest.raises(ComponentError, match=r"'mnst': TFDS knows no such dataset. Did you mean .*mnist"):
        require_known("mnst")
