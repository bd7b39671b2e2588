from __future__ import annotations

import pytest
import tensorflow_datasets as tfds

from components.component import ComponentError
from components.ingest.splits import count_examples, own_splits

STORED = {"train": tfds.core.SplitInfo("train", [60, 40], 0), "test": tfds.core.SplitInfo("test", [30], 0)}


def count(**slices: str) -> dict[str, int]:
    return count_examples(slices, STORED, "toy/1.0.0")


def test_counts_the_examples_of_each_split() -> None:
    counts = count(train="train[:90%]+test[20:]", validation="train[90%:]", test="test[:20]")
    assert counts == {"train": 100, "validation": 10, "test": 20}


@pytest.mark.parametrize(
    ("stored", "slices"),
    [
        ({"train", "validation", "test"}, ("train", "validation", "test")),
        ({"train", "test"}, ("train[:96%]", "train[96%:]", "test")),
        ({"train", "validation"}, ("train[:90%]", "validation", "train[90%:]")),
        ({"train"}, ("train[:80%]", "train[80%:90%]", "train[90%:]")),
    ],
)
def test_a_dataset_suggests_its_own_splits(stored: set[str], slices: tuple[str, str, str]) -> None:
    infos = {name: tfds.core.SplitInfo(name, [500_000], 0) for name in stored}
    assert own_splits(infos) == dict(zip(("train", "validation", "test"), slices, strict=True))


@pytest.mark.parametrize(
    ("stored", "counts"),
    [
        ({"train": 500_000}, (400_000, 50_000, 50_000)),
        ({"train": 500_010}, (400_010, 50_000, 50_000)),
        ({"train": 14_197_122}, (14_097_122, 50_000, 50_000)),
        ({"train": 1_250_000, "test": 9}, (1_200_000, 50_000, 9)),
        ({"train": 14_197_122, "test": 400_000}, (14_147_122, 50_000, 400_000)),
        ({"train": 1_281_167, "validation": 60_000}, (1_231_167, 60_000, 50_000)),
        ({"train": 14_197_122, "validation": 9, "test": 8}, (14_197_122, 9, 8)),
    ],
)
def test_what_is_taken_from_train_has_a_limit(stored: dict[str, int], counts: tuple[int, int, int]) -> None:
    infos = {name: tfds.core.SplitInfo(name, [count], 0) for name, count in stored.items()}
    assert tuple(count_examples(own_splits(infos), infos, "large/1.0.0").values()) == counts


def test_a_dataset_without_train_is_refused() -> None:
    stored = {"test": STORED["test"]}
    with pytest.raises(ComponentError, match=r"The data has the split test, and none to train on: add a split train"):
        own_splits(stored)


@pytest.mark.parametrize(
    ("slices", "reason"),
    [
        (
            {"train": "train", "test": "tset"},
            r"ingest.splits.test is 'tset': Unknown split 'tset'. Should be one of \['train', 'test'\]. "
            r"toy/1.0.0 has train \(100 examples\), test \(30 examples\)",
        ),
        ({"train": "train[:101]", "test": "test"}, r"ingest.splits.train is 'train\[:101\]': Requested slice"),
        ({"train": "train[10:10]", "test": "test"}, r"'train\[10:10\]': No examples are in it"),
        ({"train": "train[90%:10%]", "test": "test"}, r"'train\[90%:10%\]': No examples are in it"),
        ({"train": "train[:200%]", "test": "test"}, r"percent slice boundaries should be in \[-100, 100\]"),
        ({"train": "train(5)", "test": "test"}, "Unrecognized split format"),
        ({"train": "", "test": "test"}, "Unrecognized split format"),
        ({"train": "all[:5]", "test": "test"}, "does not support slice"),
    ],
)
def test_refuses_what_is_not_there(slices: dict[str, str], reason: str) -> None:
    with pytest.raises(ComponentError, match=reason):
        count(**slices)


@pytest.mark.parametrize(
    ("slices", "reason"),
    [
        (
            {"train": "train[:96%]", "validation": "train[95:]", "test": "test"},
            r"ingest.splits.train \('train\[:96%\]'\) and ingest.splits.validation \('train\[95:\]'\) share the "
            r"1 examples train\[95:96\] of toy/1.0.0",
        ),
        ({"train": "all", "test": "test"}, r"share the 30 examples test\[0:30\]"),
        ({"train": "train", "validation": "test[-1:]", "test": "test"}, r"validation.*test.*test\[29:30\]"),
        ({"train": "train[:60]+train[50:]", "test": "test"}, r"names twice the 10 examples train\[50:60\]"),
    ],
)
def test_refuses_examples_that_are_in_two_places(slices: dict[str, str], reason: str) -> None:
    with pytest.raises(ComponentError, match=reason):
        count(**slices)
