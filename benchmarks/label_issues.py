"""Measures how many of the labels that inspect finds wrong are wrong, and how many it finds in a clean set.

    python -m benchmarks.label_issues --work /tmp/label_issues --image_sizes 160 224

Of the labels of the embedded sample, 5 % are changed: to any other class at random, or to the likeliest other class by
the held-out head. `right` is the fraction of changed labels among as many findings as were changed, over `--draws`
draws: the mean and the least. `clean` is the number of findings with no label changed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.made_artifacts import run_to
from components.artifacts import Embeddings
from components.inspect.discriminant import HeldOutHead
from components.inspect.label_issues import find_label_issues
from components.inspect.pool import Pool
from components.inspect.vectors import SplitVectors, read_vectors

CHANGED_FRACTION = 0.05
ROW = "{:<7} {:<10} {:>7} {:>7} {:>8} {:>9}"


def main() -> None:
    """Prints two rows for each image size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for pipeline roots")
    parser.add_argument("--image_sizes", nargs="+", type=int, default=[160, 224], help="in pixels, for the backbone")
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    print(ROW.format("pixels", "changed", "right", "least", "flagged", "clean"))
    for size in options.image_sizes:
        splits = embed(options.work / f"root_{size}", size)
        class_count = int(max(split.labels.max() for split in splits)) + 1
        started = time.process_time()
        clean = len(find_label_issues(splits, class_count))
        seconds = time.process_time() - started
        for name, others in (("at random", None), ("likeliest", likeliest_others(splits, class_count))):
            measured = [measure(splits, class_count, others, seed) for seed in range(options.draws)]
            right, flagged = zip(*measured, strict=True)
            figures = f"{np.mean(right):.1%}", f"{min(right):.1%}", f"{np.mean(flagged):.0f}", clean
            print(ROW.format(size, name, *figures), flush=True)
        print(f"        {sum(len(split.labels) for split in splits)} images, {seconds:.1f} processor seconds a call")


def embed(root: Path, size: int) -> list[SplitVectors]:
    """Embeds the sample's splits, unless they lie in the root already."""
    settings = ["train.recipe=transfer", "embed.test_split=true", f"train.image_size_pixels={size}"]
    embeddings = run_to("embed", root, ["ingest.dataset=cifar10_sample", *settings]).load("embed", Embeddings)
    return [read_vectors(embeddings, split) for split in embeddings.image_counts]


def measure(
    splits: Sequence[SplitVectors], class_count: int, others: NDArray[np.int64] | None, seed: int
) -> tuple[float, int]:
    """Returns the fraction of changed labels among as many findings as were changed, and the number of findings."""
    random, labels = np.random.default_rng(seed), Pool(splits).labels.copy()
    chosen = random.choice(len(labels), round(CHANGED_FRACTION * len(labels)), replace=False)
    at_random = (labels[chosen] + random.integers(1, class_count, len(chosen))) % class_count
    labels[chosen] = at_random if others is None else others[chosen]
    changed = Pool(list(relabeled(splits, labels)))
    findings = find_label_issues(list(relabeled(splits, labels)), class_count)
    numbers = [changed.number(image.split, image.index) for finding in findings for image in finding.images]
    return len({*numbers[: len(chosen)]} & {*chosen.tolist()}) / len(chosen), len(findings)


def relabeled(splits: Sequence[SplitVectors], labels: NDArray[np.int64]) -> Iterator[SplitVectors]:
    """Yields the splits with other labels, (images of all splits,)."""
    ends = np.cumsum([len(split.labels) for split in splits])
    for split, end in zip(splits, ends.tolist(), strict=True):
        yield split._replace(labels=labels[end - len(split.labels) : end])


def likeliest_others(splits: Sequence[SplitVectors], class_count: int) -> NDArray[np.int64]:
    """Returns for each image the likeliest class beside its label's, by a head that has not seen it."""
    pool = Pool(splits)
    found = np.empty(len(pool), np.int64)
    for span, log_probabilities in HeldOutHead(pool, class_count).held_out():
        log_probabilities[np.arange(len(log_probabilities)), pool.labels[span]] = -np.inf
        found[span] = log_probabilities.argmax(axis=1)
    return found


if __name__ == "__main__":
    main()
