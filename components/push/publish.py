"""Builds a version in a staging folder, verifies every file in it, and gives it a number."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from components.artifacts import Evaluation, Examples, Model, Push
from components.component import ComponentError, Workspace
from components.nouns import with_article
from components.push import PushConfig, read_signing_key
from components.push.calibration import Calibration, read_calibration_images, read_search_images
from components.push.card import ModelCard, Row, operations_per_image, read_card, size_bytes, write_card
from components.push.card_facts import gather_facts
from components.push.card_pages import write_card_pages
from components.push.comparison import require_names
from components.push.coreml import Source, lineage_metadata
from components.push.evaluated_images import read_evaluated_images
from components.push.exports import KINDS, Exporter
from components.push.fresh_process import fresh_process
from components.push.latency import measuring
from components.push.limits import require_size, require_timed
from components.push.measured_files import measure_files
from components.push.measurement import Machine
from components.push.mistakes import find_mistakes
from components.push.smallest import SearchImages
from components.push.verification import export, verify_saved_model
from components.push.warm_up import write_warm_up
from components.registry.layout import EXTRA
from components.registry.registry import Registry, open_registry
from components.registry.signature import ensure_signed
from components.registry.staging import find_withdrawn, staging_folder, write_provenance

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey


def published(
    workspace: Workspace,
    config: PushConfig,
    identity: dict[str, Any],
    examples: Examples,
    model: Model,
    evaluation: Evaluation,
) -> Push:
    """Finds or makes the version of this model and config.

    Raises ComponentError if a file differs from the evaluated model.
    """
    registry = open_registry(workspace.root, workspace.url)
    pushed = registry.folder
    key = read_signing_key(config.signing_key)
    version_identity = _digest({"model": model.digest, "push": identity})
    try:
        registry.refresh()
        if (taken_back := find_withdrawn(pushed, model.digest)) is not None:
            return _withdrawn(workspace, taken_back)
        version = registry.find(version_identity)
        if version is None:
            require_names(model.class_names, evaluation.class_names)
            with staging_folder(pushed) as staging:
                _build(staging, workspace, config, examples, model, evaluation)
                record = {**workspace.provenance, "model_digest": model.digest, "push": identity}
                write_provenance(staging, version_identity, record)
                if key is not None:
                    ensure_signed(staging, key)
                version = registry.publish(staging, version_identity)
    except OSError as error:
        raise ComponentError(
            f"Nothing was published in {registry.place}: {_reason(error)}. {_remedy(error)}, and run again."
        ) from error
    _settle(registry, version, config.keep, key)
    return Push(
        folder=workspace.folder,
        version=int(version.name),
        version_directory=version,
        max_probability_difference={
            row.file: row.comparison.max_probability_difference for row in read_card(version).files
        },
    ).write()


def _settle(registry: Registry, version: Path, keep: int | None, key: EllipticCurvePrivateKey | None) -> None:
    """Signs a version that was published without the key before, sets the links, and prunes old versions."""
    try:
        if key is not None:
            registry.ensure_signed(version, key)
        registry.finish_push(keep)
    except OSError as error:
        raise ComponentError(
            f"Version {version.name} is published in {registry.place}, but `latest` and `best` may not lead to it, old "
            f"versions may still be there, and its signature may be missing: {_reason(error)}. {_remedy(error)}, and "
            "run again."
        ) from error


def _withdrawn(workspace: Workspace, version: int) -> Push:
    """Publishes nothing, because somebody withdrew this model: it does not return by itself."""
    reason = f"version {version} of this model was withdrawn; `python -m pipeline.push --rollback {version}` returns it"
    return Push(folder=workspace.folder, version=None, reasons=(reason,)).write()


def _build(
    staging: Path, workspace: Workspace, config: PushConfig, examples: Examples, model: Model, evaluation: Evaluation
) -> None:
    """Fills the staging folder with verified files."""
    require_timed(config)
    require_size("saved_model", "saved_model", size_bytes(model.saved_model), config)
    shutil.copytree(model.saved_model, staging, dirs_exist_ok=True)
    extra = staging / EXTRA
    extra.mkdir(exist_ok=True)
    steps = len(config.variants) + 3
    logs = workspace.folder / "logs"
    logs.mkdir(exist_ok=True)
    # A folder of its own: the fresh process of a killed attempt goes on, and must not write into the next one's files.
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=workspace.scratch)))
        workspace.report(0, steps, "reading the test split")
        evaluated = read_evaluated_images(examples, model, evaluation, work, config.max_verified_megapixels)
        write_warm_up(staging, model.image_height, model.image_width)
        files = (evaluated.images_file, work / "reloaded.npz", logs / "saved_model.txt")
        process = stack.enter_context(fresh_process(staging, *files, config.max_start_seconds))
        program = measuring(work / "latency.json", logs / "latency.txt", config.max_start_seconds)
        started = stack.enter_context(program) if config.measured_runs else None
        rows: list[Row] = []
        source = _source(model, evaluation, config, workspace)
        images, calibration = _calibration(config, examples, model)
        search, searched = _search(config, examples, model, len(evaluated.labels))
        exporter = Exporter(source, config, images, search)
        for step, variant in enumerate(config.variants, start=1):
            workspace.report(step, steps, f"{variant}: converting and verifying")
            row = export(exporter, variant, extra, model, evaluated, config)
            chosen = searched if variant == "smallest" else calibration if KINDS[variant].calibrated else None
            rows.append(row.model_copy(update={"calibration": chosen}))
        workspace.report(steps - 2, steps, "verifying the SavedModel in a fresh process")
        rows.insert(0, verify_saved_model(process, model, evaluated, config))
        mistakes = find_mistakes(evaluated, model.class_names, config.card_pictures)
        workspace.report(steps - 1, steps, "measuring time and memory")
        shape = (model.image_height, model.image_width)
        measured, machine = measure_files(started, rows, staging, shape, config) if started else (tuple(rows), None)
    card = _card(source, measured, machine, model, evaluation)
    write_card(card, staging)
    facts = gather_facts(source.description, config, card, examples, model, evaluation, mistakes)
    write_card_pages(facts, staging)


def _card(
    source: Source, rows: tuple[Row, ...], machine: Machine | None, model: Model, evaluation: Evaluation
) -> ModelCard:
    pixels = source.loaded.signatures["pixels"]
    return ModelCard(
        class_names=model.class_names,
        caption_nouns=tuple(map(with_article, model.class_names)),
        image_height=model.image_height,
        image_width=model.image_width,
        parameter_count=model.parameter_count,
        test_images=evaluation.example_count,
        operations_per_image=operations_per_image(pixels, model.image_height, model.image_width),
        confidence=evaluation.caption.confidence if evaluation.caption else None,
        caption_precision=evaluation.caption.stated_precision if evaluation.caption else None,
        machine=machine,
        files=rows,
    )


def _calibration(
    config: PushConfig, examples: Examples, model: Model
) -> tuple[np.ndarray, Calibration] | tuple[None, None]:
    if not any(KINDS[variant].calibrated for variant in config.variants):
        return None, None
    return read_calibration_images(examples, model.image_height, model.image_width)


def _search(
    config: PushConfig, examples: Examples, model: Model, test_images: int
) -> tuple[SearchImages, Calibration] | tuple[None, None]:
    if "smallest" not in config.variants:
        return None, None
    images, calibration = read_search_images(examples, model.image_height, model.image_width)
    return SearchImages(images, test_images), calibration


def _source(model: Model, evaluation: Evaluation, config: PushConfig, workspace: Workspace) -> Source:
    names = ", ".join(model.class_names[:20]) + (", ..." if len(model.class_names) > 20 else "")
    lineage = {**workspace.provenance, "model_digest": model.digest, "metrics": evaluation.metrics}
    return Source(
        loaded=_load(model.saved_model),
        height=model.image_height,
        width=model.image_width,
        class_names=model.class_names,
        version=model.digest[:12],
        description=config.description or f"Tells {len(model.class_names)} classes of images apart: {names}.",
        metadata=lineage_metadata(lineage),
    )


def _reason(error: OSError) -> str:
    """Returns the reason of the error. Copying a folder fails with a list of (source, target, reason)."""
    return error.args[0][0][2] if isinstance(error, shutil.Error) else str(error)


def _remedy(error: OSError) -> str:
    if os.strerror(errno.EFBIG) in str(error):  # a failed copy has no error number, only its text
        return "Raise the limit of file size (ulimit -f) or choose another disk"
    return "Free space or allow writing there"


def _load(saved_model: Path) -> Any:
    try:
        return tf.saved_model.load(str(saved_model))
    except (OSError, tf.errors.OpError) as error:
        raise ComponentError(
            f"The trained model in {saved_model} cannot be loaded: {str(error).splitlines()[0][:300]}. "
            "Train again with --force train."
        ) from error


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
