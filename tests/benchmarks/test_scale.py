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
        Measured("train", 6400, 2, 64.0, 900, 1000),
        Measured("folder", 1000, 2, 2.0, 800, 1000),
        Measured("train", 6400, 2, 32.0, 950, 100),
        Measured("folder", 100, 2, 1.0, 800, 100),
    ]
    assert table(rows).splitlines()[2:] == [
        "| folder | 2 | 100 | 100 | 1.0 | 10.00 | 800 |",
        "| folder | 2 | 1,000 | 1,000 | 2.0 | 2.00 | 800 |",
        "| train | 2 | 100 | 6,400 | 32.0 | 5.00 | 950 |",
        "| train | 2 | 1,000 | 6,400 | 64.0 | 10.00 | 900 |",
    ]


def test_what_is_measured_several_times_is_one_line_of_medians() -> None:
    rows = [Measured("folder", 100, 1, seconds, peak, 100) for seconds, peak in ((1.0, 800), (9.0, 820), (2.0, 810))]
    assert table(rows).splitlines()[2:] == ["| folder | 1 | 100 | 100 | 2.0 | 20.00 | 820 |"]


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
