"""What a config file may look like before its values are checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.errors import UsageError

GATE = '"evaluate": {"thresholds": {"accuracy": {"min": 0.5}}}'


def write(folder: Path, text: str) -> Path:
    path = folder / "config.json"
    path.write_bytes(text.encode())
    return path


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "\ufeff{" + GATE + "}")).evaluate.thresholds.accuracy.min == 0.5


def test_the_schema_that_a_file_names_is_ignored(tmp_path: Path) -> None:
    path = write(tmp_path, '{"$schema": "./somewhere.json", ' + GATE + "}")
    plain = write(tmp_path, "{" + GATE + "}")
    assert load_config(path) == load_config(plain)


def test_a_schema_named_in_a_section_is_an_unknown_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ingest\.\$schema: unknown key"):
        load_config(write(tmp_path, '{"ingest": {"$schema": "x"}, ' + GATE + "}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"train": {"epochs": 3, "epochs": 5}, ' + GATE + "}",
            'the key "epochs" is given twice in the section train.',
        ),
        ("{" + GATE + ", " + GATE + "}", 'the key "evaluate" is given twice at the top level.'),
        (
            '{"evaluate": {"thresholds": {"accuracy": {"min": 0.5, "change": {"min": 0, "min": 0}}}}}',
            'the key "min" is given twice in the section evaluate.thresholds.accuracy.change.',
        ),
    ],
)
def test_a_key_that_is_given_twice_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as refused:
        load_config(path)
    assert str(refused.value) == f"{path}: {message} Leave one of them out."


def test_the_same_key_in_two_sections_is_no_repetition(tmp_path: Path) -> None:
    text = '{"normalize": {"shard_examples": 7}, "evaluate": {"shard_examples": 8, ' + GATE.removeprefix(
        '"evaluate": {'
    )
    assert load_config(write(tmp_path, text + "}")).normalize.shard_examples == 7


@pytest.mark.parametrize(("section", "names"), [("train", 5), ("push", 5)])
def test_an_unknown_key_of_a_long_section_names_its_nearest_keys(tmp_path: Path, section: str, names: int) -> None:
    document = {**json.loads("{" + GATE + "}"), section: {"qqqqqq": 1}}
    with pytest.raises(UsageError) as refused:
        load_config(write(tmp_path, json.dumps(document)))
    listed = str(refused.value).partition(" keys are ")[2].partition(". ")[0]
    assert len(listed.split(", ")) == names
    assert "`python -m pipeline.config` lists all." in str(refused.value)
