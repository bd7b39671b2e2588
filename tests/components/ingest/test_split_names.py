from __future__ import annotations

import pytest

from components.ingest.split_names import split_name


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("train", ("train", "Train", "TRAINING")),
        ("validation", ("val", "valid", "Validation", "dev")),
        ("test", ("test", "Testing", "eval")),
        (None, ("trains", "test1", "", "all", "cat")),
    ],
)
def test_people_name_splits_in_many_ways(split: str | None, names: tuple[str, ...]) -> None:
    assert [split_name(name) for name in names] == [split] * len(names)
