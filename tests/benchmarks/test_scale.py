from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.scale import BATCH_SIZE, Line, Measured, peak_ratios, table
from pipeline.config import load_config


def test_a_stage_is_measured_by_the_command(tmp_path: Path) -> None:
    line = Line(tmp_path, image_count=40, class_count=2, training_steps=1)
    line.prepare()
    row = line.measure("folder", cores=1, beam_args=())
    assert (row.stage, row.images, row.cores) == ("folder", 40, 1)
    assert row.seconds > 0
    assert row.peak_megabytes > 100  # TensorFlow alone is more
    assert list((tmp_path / "40-images" / "root-folder" / "ingest").glob("*/manifest.json"))


def test_training_takes_as_many_steps_as_asked_for(tmp_path: Path) -> None:
    line = Line(tmp_path, image_count=1000, class_count=2, training_steps=40)
    line.folder.mkdir()
    config = load_config(line._config(tmp_path / "prepared"))
    assert config.train.epochs * (900 // BATCH_SIZE) == pytest.approx(40)


def test_the_table_is_by_stage_then_size() -> None:
    rows = [
        Measured("normalize", 100, 2, 3.0, 900),
        Measured("folder", 1000, 2, 2.0, 800),
        Measured("folder", 100, 2, 1.0, 800),
    ]
    assert table(rows).splitlines()[2:] == [
        "| folder | 2 | 100 | 1.0 | 10.00 | 800 |",
        "| folder | 2 | 1,000 | 2.0 | 2.00 | 800 |",
        "| normalize | 2 | 100 | 3.0 | 30.00 | 900 |",
    ]


def test_a_config_says_all_but_the_data_and_the_steps(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "configs" / "imagenet.json"
    line = Line(tmp_path, 1000, class_count=2, training_steps=20, settings=json.loads(path.read_bytes()))
    line.folder.mkdir()
    config = load_config(line._config(tmp_path / "prepared"))
    assert config.ingest.dataset == str(tmp_path / "prepared")
    assert (config.train.recipe, config.train.batch_size) == ("resnet50", BATCH_SIZE)
    assert config.train.epochs * (900 // BATCH_SIZE) == pytest.approx(20)


def test_peaks_are_compared_with_the_one_at_10000_images() -> None:
    sizes = {1_000: 700.0, 10_000: 800.0, 100_000: 820.0}
    rows = [Measured("train", 6400, 2, 9.0, peak, size) for size, peak in sizes.items()]
    assert peak_ratios(rows) == "train, 2 cores: peak at 100,000 by peak at 10,000 images is 1.025"
    assert peak_ratios(rows[1:2]) == ""
