"""Decides which slices make each split, and checks that they exist and do not overlap."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import accumulate, combinations_with_replacement

import tensorflow_datasets as tfds

from components.component import ComponentError
from components.dataset_reader import Span, spans
from components.ingest.drawing import MAX_DRAWN_IMAGES
from components.ingest.split_names import ADDED

FEWEST_IMAGES = 10  # from here on, none of the slices that are used without a config is empty


def slices_of(given: Mapping[str, str] | None, stored: Mapping[str, tfds.core.SplitInfo]) -> dict[str, str]:
    """Returns the slices that make each split: those that the config gives, or else the dataset's own.

    Photos that people have added are trained on, besides.
    """
    chosen = dict(given) if given else own_splits(stored)
    return {**chosen, "train": f"{chosen['train']}+{ADDED}"} if ADDED in stored else chosen


def own_splits(stored: Mapping[str, tfds.core.SplitInfo]) -> dict[str, str]:
    """Returns the slices to use if the config gives none: the dataset's own splits, and of train what is missing.

    A split of the dataset is always used for what it is named for: the validation split decides on what is fitted
    besides the weights, so it is never also the one that the gate judges on. What is taken from train has at most
    `MAX_DRAWN_IMAGES` a split: more would take hours to evaluate, and tell nothing new.
    """
    if "train" not in stored:
        raise ComponentError(
            f"The data has {'the split' if len(stored) == 1 else 'the splits'} {', '.join(stored)}, and none to train "
            "on: add a split train, or name in ingest.splits what to train on"
        )
    percents = own_percents(stored)
    own = {name: name for name in ("train", "validation", "test")}
    count = stored["train"].num_examples
    return own if len(percents) == 1 else {**own, **_slices(percents, count)}


def _slices(percents: Mapping[str, int], count: int) -> dict[str, str]:
    """Returns the slices of train, of `count` images, that make each split, one after the other."""
    largest, *small = percents
    if any(count * percents[name] > 100 * MAX_DRAWN_IMAGES for name in small):
        bounds = [f"-{MAX_DRAWN_IMAGES * splits_left}" for splits_left in range(len(small), 0, -1)]
    else:
        bounds = [f"{percent}%" for percent in accumulate(percents[name] for name in (largest, *small[:-1]))]
    places = zip(percents, ["", *bounds], [*bounds, ""], strict=True)
    return {name: f"train[{start}:{stop}]" for name, start, stop in places}


def own_percents(stored: Collection[str]) -> dict[str, int]:
    """Returns how many percent of train make each split that the dataset does not have itself, train first."""
    if "test" in stored and "validation" in stored:
        return {"train": 100}
    if "test" in stored:
        return {"train": 96, "validation": 4}
    if "validation" in stored:
        return {"train": 90, "test": 10}
    return {"train": 80, "validation": 10, "test": 10}


def count_examples(
    slices: Mapping[str, str], stored: Mapping[str, tfds.core.SplitInfo], dataset: str
) -> dict[str, int]:
    """Returns the number of examples of each slice ("train", "validation", "test").

    Raises ComponentError if a slice is empty, names examples that do not exist, or overlaps another slice or itself.
    """
    named = {name: _spans(name, slice_, stored, dataset) for name, slice_ in slices.items()}
    for one, other in combinations_with_replacement(named, 2):
        for split, start, stop in _shared(named[one], named[other], one == other):
            twice = f"ingest.splits.{one} ({slices[one]!r})"
            twice += " names twice" if one == other else f" and ingest.splits.{other} ({slices[other]!r}) share"
            raise ComponentError(
                f"{twice} the {stop - start} examples {split}[{start}:{stop}] of {dataset}; "
                "every example may be in one split, once"
            )
    return {name: sum(span.stop - span.start for span in of_name) for name, of_name in named.items()}


def _spans(name: str, slice_: str, stored: Mapping[str, tfds.core.SplitInfo], dataset: str) -> list[Span]:
    try:
        found = spans(slice_, stored)
    except (ValueError, NotImplementedError) as error:
        reason = str(error).splitlines()[-1].rstrip(".")
    else:
        if found:
            return found
        reason = "No examples are in it"
    raise ComponentError(f"ingest.splits.{name} is {slice_!r}: {reason}. {_alternatives(stored, dataset)}")


def _alternatives(stored: Mapping[str, tfds.core.SplitInfo], dataset: str) -> str:
    sizes = ", ".join(f"{name} ({info.num_examples} examples)" for name, info in stored.items())
    if sum(info.num_examples for info in stored.values()) < FEWEST_IMAGES:
        return f"{dataset} has {sizes}, too few to divide: add images until there are {FEWEST_IMAGES} or more"
    only = next(iter(stored))
    hint = f'; slices such as "{only}[:80%]", "{only}[80%:90%]", "{only}[90%:]" divide it' if len(stored) == 1 else ""
    return f"{dataset} has {sizes}{hint}"


def _shared(one: list[Span], other: list[Span], same: bool) -> Iterator[Span]:
    """Yields the spans that the two lists share."""
    for index, left in enumerate(one):
        for right in other[index + 1 :] if same else other:
            start, stop = max(left.start, right.start), min(left.stop, right.stop)
            if left.split == right.split and start < stop:
                yield Span(left.split, start, stop)
