from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from components.files import digest_file
from components.ingest import writing
from components.ingest.writing import serializer, write_dataset, write_records


def features() -> tfds.features.FeaturesDict:
    return tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(2, 2, 3)), "label": tfds.features.ClassLabel(names=["a", "b"])}
    )


def examples(count: int) -> Iterator[dict[str, Any]]:
    return ({"image": np.full((2, 2, 3), index, np.uint8), "label": index % 2} for index in range(count))


def test_tfds_reads_what_was_written_in_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "SHARD_BYTES", 500)
    write_dataset(
        tmp_path / "toy", "toy/1.0.0", features(), {"train": examples(20), "test": examples(3)}, description="Toy."
    )
    builder = tfds.builder_from_directory(tmp_path / "toy")
    assert builder.info.full_name == "toy/1.0.0"
    assert builder.info.description == "Toy."
    assert builder.info.features["label"].names == ["a", "b"]
    assert {name: info.num_examples for name, info in builder.info.splits.items()} == {"train": 20, "test": 3}
    assert builder.info.splits["train"].num_shards > 2
    stored = builder.as_dataset(split="train", read_config=tfds.ReadConfig(interleave_cycle_length=1))
    assert [int(example["image"][0, 0, 0]) for example in stored] == list(range(20))


def test_the_bytes_do_not_depend_on_the_process(tmp_path: Path) -> None:
    """Protobuf maps are written in an order that each process draws anew, unless it is told to sort them."""
    names = "abcdefgh"
    spec = tfds.features.FeaturesDict({name: tfds.features.Scalar(np.int64) for name in names})
    write_dataset(tmp_path / "toy", "toy/1.0.0", spec, {"train": [dict.fromkeys(names, 1)]})
    (file,) = (tmp_path / "toy").glob("toy-train*")
    (record,) = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    places = [record.index(b"\n\x01" + name.encode()) for name in names]
    assert places == sorted(places)


def test_never_writes_over_a_dataset(tmp_path: Path) -> None:
    write_dataset(tmp_path / "toy", "toy/1.0.0", features(), {"train": examples(1)})
    with pytest.raises(FileExistsError):
        write_dataset(tmp_path / "toy", "toy/1.0.0", features(), {"train": examples(1)})


def test_tells_the_digest_of_each_file_of_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "SHARD_BYTES", 500)
    records = map(serializer(features()), examples(20))
    digests = write_records(tmp_path / "toy", "toy/1.0.0", features(), {"train": records})
    files = sorted((tmp_path / "toy").glob("*tfrecord*"))
    assert len(files) > 2
    assert digests == {file: digest_file(file) for file in files}


def test_tells_where_the_records_of_a_whole_file_lie(tmp_path: Path) -> None:
    records = list(map(serializer(features()), examples(20)))
    found: list[bytes] = []

    def stored(file: Path, starts: Sequence[int]) -> None:
        data, first = file.read_bytes(), len(found)
        found.extend(data[start:][: len(record)] for start, record in zip(starts, records[first:], strict=False))

    write_records(tmp_path / "toy", "toy/1.0.0", features(), {"train": records}, shard_bytes=500, stored=stored)
    assert len(list((tmp_path / "toy").glob("*tfrecord*"))) > 2
    assert found == records
