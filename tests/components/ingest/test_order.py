from collections import Counter

from components.ingest.order import interleave


def test_classes_of_one_size_take_turns() -> None:
    assert list(interleave(["abc", "def"])) == [(0, "a"), (1, "d"), (0, "b"), (1, "e"), (0, "c"), (1, "f")]


def test_every_slice_has_its_share_of_every_class() -> None:
    sizes = (600, 200, 7)
    labels = [label for label, _ in interleave([range(size) for size in sizes])]
    assert Counter(labels) == dict(enumerate(sizes))
    for start in range(0, len(labels), 50):
        counts = Counter(labels[start : start + 200])
        length = len(labels[start : start + 200])
        for label, size in enumerate(sizes):
            assert abs(counts[label] - length * size / sum(sizes)) < 2


def test_a_class_may_be_empty() -> None:
    assert list(interleave(["", "a"])) == [(1, "a")]
