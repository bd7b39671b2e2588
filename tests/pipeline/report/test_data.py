"""What the report says of files that are not among the images."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.artifacts import Examples
from pipeline.report.data import describe_data


@pytest.mark.parametrize(
    ("rejected", "left_out", "said"),
    [
        (0, {}, "No file was left out."),
        (1, {}, "1 file could not be read."),
        (0, {"a video": 2, "made by a system": 1_200}, "Left out: 2 a video, 1,200 made by a system."),
        (3, {"notes or data": 160}, "3 files could not be read; left out besides: 160 notes or data."),
    ],
)
def test_all_files_that_are_left_out_are_counted(
    tmp_path: Path, rejected: int, left_out: dict[str, int], said: str
) -> None:
    examples = Examples(
        folder=tmp_path,
        dataset="photos/1.0.0",
        content="",
        splits={"train": "train"},
        example_counts={"train": 2},
        class_names=("cat", "dog"),
        image_shape=(8, 8, 3),
        rejected_files=rejected,
        left_out_files=left_out,
    )
    data = describe_data(examples, None)
    assert data.left_out_words == said
    assert data.left_out_files == rejected + sum(left_out.values())
