"""Makes Statistics from the results of the scan, and describes what is wrong with the images in words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from components.artifacts import Examples, SplitStatistics, Statistics
from components.component import ComponentError, Workspace
from components.dataset_reader import example_name
from components.normalize import Checks
from components.normalize.drift import find_drift
from components.normalize.duplicates import Duplicates
from components.normalize.moments import Moments
from components.normalize.scan import Found

logger = logging.getLogger(__name__)
_NAMES = 5  # of classes or images listed in a message


def gather(workspace: Workspace, results: list[Any], examples: Examples, checks: Checks) -> Statistics:
    """Makes Statistics from the workers' results.

    Raises ComponentError for what `checks` say must fail, and for a split without images.
    """
    found = {result.split: result for result in results if isinstance(result, Found)}
    duplicates = next((result for result in results if isinstance(result, Duplicates)), Duplicates())
    for split, slice_ in examples.splits.items():
        _require_images(found.get(split), split, slice_, examples)
    findings = list(_findings({split: found[split].moments for split in found}, duplicates, examples))
    failures = [sentence for check, sentence in findings if getattr(checks, check) == "fail"]
    if failures:
        raise ComponentError("\n".join(failures))
    statistics = Statistics(
        folder=workspace.folder,
        splits={split: _statistics(found[split]) for split in examples.splits},
        duplicate_count=duplicates.count,
        leaked_count=duplicates.leaked_count,
        duplicates=tuple(image.copies for image in duplicates.first),
        warnings=tuple(sentence for check, sentence in findings if getattr(checks, check) == "warn"),
    )
    _check_drift(workspace, examples, statistics, checks)
    return statistics.write()


def _check_drift(workspace: Workspace, examples: Examples, statistics: Statistics, checks: Checks) -> None:
    """Warns of drift, or fails, as the checks say.

    Drift is no part of the statistics, which depend on these images and not on what is published. The report shows it
    in full.
    """
    if checks.drift == "ignore":
        return
    drift = list(find_drift(workspace.root, examples, statistics.splits["train"], checks))
    if drift and checks.drift == "fail":
        raise ComponentError("\n".join(drift))
    for sentence in drift:
        logger.warning(sentence)


def _require_images(found: Found | None, split: str, slice_: str, examples: Examples) -> None:
    where = f'Split "{split}" ("{slice_}" of {examples.dataset})'
    expected = examples.example_counts[split]
    count = found.moments.example_count if found else 0
    if not found:
        raise ComponentError(f"{where} has no images: it needs at least one. Change the split in the config of ingest.")
    if count != expected:
        raise ComponentError(
            f"{where} has {expected} images on record, but {count} were read. Prepare the dataset again."
        )
    if not found.moments.patch_count:
        raise ComponentError(
            f"{where} has only images narrower or lower than 2 pixels: {', '.join(found.image_sizes)}. "
            "The statistics need 2x2 pixels. Use larger images; raise ingest.shorter_side_pixels if it shrinks them so "
            f"far; or name the right feature in ingest.image_key, which is {examples.image_key!r}."
        )


def _findings(moments: dict[str, Moments], duplicates: Duplicates, examples: Examples) -> Iterator[tuple[str, str]]:
    """Yields (name of the check, what is wrong and what to do)."""
    for split, part in moments.items():
        if part.foreign_label_count:
            yield "label_out_of_range", _foreign_labels(split, part, examples)
    for split, check in (("train", "empty_class"), ("test", "empty_test_class")):
        empty = [
            name for name, count in zip(examples.class_names, moments[split].class_counts, strict=True) if not count
        ]
        if empty:
            yield check, _empty_classes(split, empty, examples, check)
    if duplicates.leaked_count:
        yield "leakage", _leakage(duplicates, examples)


def _leakage(duplicates: Duplicates, examples: Examples) -> str:
    named = [image for image in duplicates.first[:_NAMES] if image.leaked]
    names = ["{} = {}".format(*(_name(examples, *place) for place in image.places.items())) for image in named]
    if duplicates.leaked_count > len(named):
        names.append("...")
    return (
        f"{duplicates.leaked_count} images of the test split are also in another split, pixel for pixel "
        f"({', '.join(names)}): the evaluation flatters the model by as many. Remove the copies from the source, or "
        "set normalize.checks.leakage to warn or ignore."
    )


def _name(examples: Examples, split: str, index: int) -> str:
    return f"{example_name(examples, split, index)} ({split})"


def _foreign_labels(split: str, moments: Moments, examples: Examples) -> str:
    labels = " to ".join(str(label) for label in moments.foreign_labels)
    return (
        f'{moments.foreign_label_count} images of split "{split}" have a label that names no class: {labels}, where 0 '
        f"to {len(examples.class_names) - 1} was expected. Is ingest's label_key ({examples.label_key}) the right one?"
    )


def _empty_classes(split: str, empty: list[str], examples: Examples, check: str) -> str:
    names = ", ".join(f'"{name}"' for name in empty[:_NAMES]) + (", ..." if len(empty) > _NAMES else "")
    return (
        f'{len(empty)} of {len(examples.class_names)} classes have no image in split "{split}" '
        f'("{examples.splits[split]}"): {names}. Add images, choose another slice, or set normalize.checks.{check}.'
    )


def _statistics(found: Found) -> SplitStatistics:
    sizes = dict(sorted(found.image_sizes.items(), key=lambda size: (-size[1], size[0])))
    other = found.moments.example_count - sum(sizes.values())
    return found.moments.statistics({**sizes, "other": other} if other else sizes)
