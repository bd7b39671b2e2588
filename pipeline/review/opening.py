"""Finds what there is to review below a pipeline root: the findings of a run, their photos, and where decisions go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from components.artifacts import Examples
from components.component import ComponentError
from components.corrections_file import FILE_NAME, read_corrections
from components.findings import FindingKind, Findings
from components.home import expand_home
from pipeline.errors import UsageError
from pipeline.orchestrator.run_artifacts import find_run
from pipeline.orchestrator.run_record import RunFolder, RunRecord, run_records
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest


class Item(NamedTuple):
    """One finding, as far as people need to see it. All its photos are files."""

    kind: FindingKind
    files: tuple[str, ...]  # relative to the source's folder, with \\x.. for bytes that are not UTF-8
    labels: tuple[str, ...]  # the class of each
    splits: tuple[str, ...]
    score: float  # how sure it is, 0-1
    better_label: str  # the class that fits better; empty if none is suggested
    reason: str


class Review(NamedTuple):
    """What is reviewed, and where."""

    run_id: str
    digest: str  # of the Findings
    items: tuple[Item, ...]  # the surest first
    class_names: tuple[str, ...]
    folder: Path  # that files are relative to
    corrections: Path  # the file of decisions, which need not be there yet


def open_review(root: Path, run: str | None, source: str | None, corrections: str | None) -> Review:
    """Returns the findings of a run, or of the newest run that has any, with the places that they speak of.

    Args:
        root: the pipeline root.
        run: the run's name or the beginning of it; None: the newest run with findings.
        source: the folder or manifest of the photos; None: where ingest found it.
        corrections: the file of decisions; None: where ingest reads it, or beside `source` if that is given.

    Raises:
        UsageError: there are no findings, the photos are not there, or decisions cannot be written.
    """
    store = Store(root)
    record, manifest = _newest_findings(store) if run is None else _findings_of(store, find_run(root, run))
    findings, examples = store.load(manifest, Findings), _examples_of(store, manifest)
    try:
        folder = _folder(examples, source)
        path = _corrections(examples, folder, source, corrections)
        read_corrections(path)
    except ComponentError as error:
        raise UsageError(str(error)) from error
    items = sorted(_items(findings, examples.class_names), key=lambda item: -item.score)  # which keeps equals in order
    return Review(record.run_id, manifest.digest, tuple(items), examples.class_names, folder, path)


def _newest_findings(store: Store) -> tuple[RunRecord, Manifest]:
    for record in reversed(list(run_records(store.root))):
        if manifest := _manifest_of(store, record):
            return record, manifest
    raise UsageError(
        f"No run in {store.root} has findings. `python -m pipeline.run --set inspect={{}}` makes them; or name another "
        "folder with --pipeline_root."
    )


def _findings_of(store: Store, run_id: str) -> tuple[RunRecord, Manifest]:
    record = RunFolder(store.root, run_id).read()
    manifest = _manifest_of(store, record) if record else None
    if record is None or manifest is None:
        raise UsageError(
            f"Run {run_id} has no findings, or no longer has them. Leave RUN out for the newest run that has some."
        )
    return record, manifest


def _manifest_of(store: Store, record: RunRecord) -> Manifest | None:
    for node in record.nodes:
        manifest = store.find(node.component, node.key) if node.digest else None
        if manifest is not None and manifest.kind == Findings.kind() and manifest.digest == node.digest:
            return manifest
    return None


def _examples_of(store: Store, findings: Manifest) -> Examples:
    """Returns the images that were looked at. Raises UsageError if they are gone."""
    for reference in findings.inputs.values():
        manifest = store.find(reference.component, reference.key)
        if manifest is not None and manifest.kind == Examples.kind():
            return store.load(manifest, Examples)
    raise UsageError(
        "The images that the findings are about are no longer in the pipeline root. Run the pipeline again."
    )


def _folder(examples: Examples, source: str | None) -> Path:
    if not source and not examples.source:
        raise UsageError(
            f"{examples.dataset} was not made of files, and decisions name files. What can be reviewed is a folder of "
            "photos, or a .csv file, as ingest.dataset."
        )
    path = expand_home(source, "--source") if source else Path(examples.source)
    if not path.exists():
        raise UsageError(f"{path}: the photos are not there any more. Say where they are with --source.")
    return path if path.is_dir() else path.parent


def _corrections(examples: Examples, folder: Path, source: str | None, corrections: str | None) -> Path:
    if corrections is not None:
        path = expand_home(corrections, "--corrections")
    elif source or examples.corrections_file:
        path = folder / FILE_NAME if source else Path(examples.corrections_file)
    else:
        raise UsageError(
            "The photos lie in object storage, and decisions are noted on this machine. Set ingest.corrections to a "
            "file, such as ./corrections.csv, and give the same file with --corrections."
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK) or path.is_dir():
        raise UsageError(
            f"{path} cannot be written. Set ingest.corrections to a file elsewhere, and give the same file with "
            "--corrections."
        )
    return path


def _items(findings: Findings, class_names: tuple[str, ...]) -> Iterator[Item]:
    for finding in findings.read_findings():
        if all(image.file for image in finding.images):
            better = finding.suggested_label
            yield Item(
                kind=finding.kind,
                files=tuple(image.file for image in finding.images),
                labels=tuple(class_names[image.label] for image in finding.images),
                splits=tuple(image.split for image in finding.images),
                score=finding.score,
                better_label="" if better is None else class_names[better],
                reason=finding.reason,
            )
