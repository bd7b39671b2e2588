from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from benchmarks.draw_sample import DESTINATION, draw, main
from components.artifacts import Examples
from components.dataset_reader import read


def test_draws_each_class_equally_often_and_no_image_twice() -> None:
    labels = np.random.default_rng(0).integers(0, 4, 1000)
    drawn = draw(labels, images_per_class=50, seed=1)
    assert labels[drawn].tolist() == [0, 1, 2, 3] * 50
    assert len(set(drawn)) == 200


def test_the_seed_decides() -> None:
    labels = np.arange(1000) % 4
    assert draw(labels, 50, seed=1) == draw(labels, 50, seed=1) != draw(labels, 50, seed=2)


def test_the_embedded_sample_is_what_it_says(sample: Examples) -> None:
    info = tfds.builder_from_directory(DESTINATION).info
    assert "5,000 of the 50,000 training and 1,000 of the 10,000 test images of CIFAR-10" in info.description
    assert "Krizhevsky09learningmultiple" in info.citation
    assert sum(file.stat().st_size for file in DESTINATION.iterdir()) < 15e6
    for split, count in {"train": 5000, "test": 1000}.items():
        labels = [int(label) for _, label in read(sample, split)]
        assert labels == list(range(10)) * (count // 10)


def test_its_pixels_are_those_of_cifar10(sample: Examples) -> None:
    """On average; 1,000 images are this close to the whole."""
    images = np.stack([image for image, _ in read(sample, "train[:1000]").as_numpy_iterator()]) / 255
    np.testing.assert_allclose(images.mean((0, 1, 2)), (0.4914, 0.4822, 0.4465), atol=0.02)
    np.testing.assert_allclose(images.std((0, 1, 2)), (0.2470, 0.2435, 0.2616), atol=0.02)


def test_says_how_to_get_cifar10(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[Any]
) -> None:
    monkeypatch.setattr(sys, "argv", ["draw_sample", "--data_dir", str(tmp_path), "--output", str(tmp_path / "out")])
    assert main() == 1
    assert "run python -m benchmarks.prepare_cifar10" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
