from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import load_config

CONFIGS = sorted((Path(__file__).parents[2] / "benchmarks" / "configs").glob("*.json"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_one_that_the_command_takes(path: Path) -> None:
    assert load_config(path).ingest.splits is not None


def test_imagenet_is_streamed_by_windows() -> None:
    (path,) = (path for path in CONFIGS if path.stem == "imagenet")
    train = load_config(path).train
    assert train.random_crop_area_fraction == (0.08, 1.0)
    assert train.image_size_pixels == 224
