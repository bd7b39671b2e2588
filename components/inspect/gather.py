"""Makes the Findings of what the finders find in the vectors and in what the scan has left of the pixels."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Embeddings, Examples
from components.component import ComponentError, Workspace
from components.files import write_whole
from components.findings import KINDS, Finding, Findings, ImageReference
from components.inspect import InspectConfig
from components.inspect.label_issues import find_label_issues
from components.inspect.near_copies import find_near_copies
from components.inspect.odd_images import find_odd_images
from components.inspect.scan import Scanned, read_pixels
from components.inspect.vectors import read_vectors

logger = logging.getLogger(__name__)
_NAMED = 5  # pairs in a message


def gather(
    workspace: Workspace,
    results: list[Scanned],
    examples: Examples,
    embeddings: Embeddings,
    config: InspectConfig,
) -> Findings:
    """Makes the Findings.

    Raises ComponentError if images were missed, and if copies across the splits must fail.
    """
    _require_all_images(results, examples, embeddings)
    splits = [read_vectors(embeddings, split, workspace.scratch) for split in examples.splits]
    pixels = {split: read_pixels(workspace, results, split) for split in examples.splits}
    class_count = len(examples.class_names)
    workspace.report(0, len(KINDS), "near copies")
    found = find_near_copies(splits, {split: each.thumbnails for split, each in pixels.items()})
    workspace.report(1, len(KINDS), "label issues")
    groups = {(image.split, image.index): number for number, each in enumerate(found) for image in each.images}
    found += find_label_issues(splits, class_count, groups)
    workspace.report(2, len(KINDS), "odd images")
    found += find_odd_images(splits, {split: each.measures for split, each in pixels.items()}, class_count)
    named = [_name_files(finding, {split: each.files for split, each in pixels.items()}) for finding in found]
    leaks = [finding for finding in named if finding.is_leak]
    return _make(workspace, named, examples, _warnings(leaks, examples, config))


def _require_all_images(results: list[Scanned], examples: Examples, embeddings: Embeddings) -> None:
    counts: Counter[str] = Counter()
    for result in results:
        counts[result.split] += result.images
    expected = {split: examples.example_counts[split] for split in examples.splits}
    if dict(counts) != expected or any(embeddings.image_counts[split] != count for split, count in expected.items()):
        raise ComponentError(
            f"{dict(counts)} images were scanned and {embeddings.image_counts} embedded; expected {expected}. "
            "Run again."
        )


def _name_files(finding: Finding, files: Mapping[str, NDArray[np.bytes_]]) -> Finding:
    images = [image.model_copy(update={"file": files[image.split][image.index].decode()}) for image in finding.images]
    return finding.model_copy(update={"images": tuple(images)})


def _make(workspace: Workspace, found: list[Finding], examples: Examples, warnings: tuple[str, ...]) -> Findings:
    found = sorted(found, key=lambda finding: KINDS.index(finding.kind))  # stable: each kind as its finder sorted it
    text = "".join(finding.model_dump_json() + "\n" for finding in found)
    write_whole(workspace.folder / Findings.FILE, text)
    counts = Counter(finding.kind for finding in found)
    leaked = sum(image.split == "test" for finding in found if finding.is_leak for image in finding.images)
    image_counts = {split: examples.example_counts[split] for split in examples.splits}
    return Findings(
        folder=workspace.folder,
        image_counts=image_counts,
        counts={kind: counts[kind] for kind in KINDS},
        leaked_images=leaked,
        label_issue_fraction=counts["label_issue"] / max(1, sum(image_counts.values())),
        warnings=warnings,
    ).write()


def _warnings(leaks: list[Finding], examples: Examples, config: InspectConfig) -> tuple[str, ...]:
    """Returns the sentence about copies across the splits, which is logged too. Raises ComponentError if it must."""
    if not leaks or config.near_copies_across_splits == "ignore":
        return ()
    sentence = _leak_sentence(leaks, examples, config)
    if config.near_copies_across_splits == "fail":
        raise ComponentError(sentence)
    logger.warning(sentence)
    return (sentence,)


def _leak_sentence(leaks: list[Finding], examples: Examples, config: InspectConfig) -> str:
    count = sum(image.split == "test" for finding in leaks for image in finding.images)
    pairs = "; ".join(_name_pair(finding) for finding in leaks[:_NAMED]) + ("; ..." if len(leaks) > _NAMED else "")
    return (
        f"{count} of {examples.example_counts['test']} test images have a near copy in train or validation ({pairs}): "
        f"the evaluation flatters the model by up to as many. {_advice(examples, config)}If they are meant, set "
        "inspect.near_copies_across_splits to ignore."
    )


def _advice(examples: Examples, config: InspectConfig) -> str:
    """Returns what helps against copies across the splits; nothing for images that are no files of somebody's own."""
    if not examples.source:
        return ""
    if "test" not in examples.drawn_splits:
        return (
            "The test split is given, so that no photo moves: `python -m pipeline.review` leaves one of each pair out. "
        )
    if config.near_copies_across_splits == "keep_together":
        return "They are noted as the same when this run ends, and the next run keeps each group in one split. "
    return (
        "`python -m pipeline.review --keep_together` has the next run keep them in one split; without the option it "
        "shows the pairs. "
    )


def _name_pair(finding: Finding) -> str:
    ours = next(image for image in finding.images if image.split == "test")
    theirs = next(image for image in finding.images if image.split != "test")
    return f"{_name(ours)} = {_name(theirs)}"


def _name(image: ImageReference) -> str:
    return f"{image.file} ({image.split})" if image.file else f"{image.split}[{image.index}]"
