"""Checks, before Beam starts, that model, examples and thresholds fit together, and lists the shards to predict."""

from __future__ import annotations

import sys
from itertools import accumulate, zip_longest
from pathlib import Path
from typing import Any

import tensorflow as tf

from components import dataset_reader
from components.artifacts import Evaluation, Examples, Model
from components.batch_size import max_batch_size
from components.component import ComponentError, Workspace
from components.evaluate import EvaluateConfig
from components.evaluate.baseline import find_baseline
from components.evaluate.prediction import Shard, load_classifier
from components.evaluate.properties import BINS, applicable, stored_features
from components.evaluate.thresholds import OVERALL, class_slice, top_k_metric
from components.findings import Findings
from components.registry.versions import Version

_ALTERNATIVES = 5  # listed in a message


def plan(
    workspace: Workspace, examples: Examples, model: Model, config: EvaluateConfig, findings: Findings | None = None
) -> list[Shard]:
    """Returns the shards of the test split, in its order.

    Raises ComponentError if the inputs and the config do not fit.
    """
    _check_class_names(examples, model)
    _check_untouched(examples)
    slice_by = applicable(config.slice_by, examples)
    features = stored_features(slice_by, examples)
    leaked = None if findings is None else findings.leaked_indices()
    _check_thresholds(examples.class_names, slice_by, config, leaked is not None)
    _check_signature(model)
    baseline = find_baseline(workspace, examples, model).version
    if baseline is not None:
        _check_baseline(baseline, workspace)
    baseline_predictions = None if baseline is None else _stored_predictions(workspace, baseline)
    spans = dataset_reader.shard_spans(examples, "test", config.shard_examples)
    if not spans:
        raise ComponentError(
            f'The test split ("{examples.splits["test"]}" of {examples.dataset}) has no images to evaluate on. '
            "Choose another slice in the config of ingest."
        )
    folder = workspace.folder / "predictions"
    folder.mkdir(exist_ok=True)
    starts = accumulate((span.stop - span.start for span in spans), initial=0)
    return [
        Shard(
            examples=examples,
            model=model,
            slice=span.slice,
            batch_size=max_batch_size(model.image_height, model.image_width, config.batch_size),
            file=folder / f"{index:05d}-of-{len(spans):05d}.npz",
            baseline=baseline,
            slice_by=slice_by,
            features=features,
            baseline_predictions=baseline_predictions,
            exchange=workspace.exchange,
            known_slices={} if leaked is None else _across_splits(leaked, range(start, start + span.stop - span.start)),
        )
        for index, (start, span) in enumerate(zip(starts, spans, strict=False))
    ]


def _stored_predictions(workspace: Workspace, version: Version) -> Path | None:
    """Returns the folder in which the version's evaluation left its predictions; None if they are to be made anew."""
    if workspace.forced or not version.evaluation:
        return None
    return workspace.root / version.evaluation / "predictions"


def _across_splits(leaked: frozenset[int], indices: range) -> dict[str, tuple[str, ...]]:
    """Returns whether each of these test images has a near copy in another split, as a column to slice by."""
    return {Evaluation.ACROSS_SPLITS: tuple("yes" if index in leaked else "no" for index in indices)}


def _check_class_names(examples: Examples, model: Model) -> None:
    pairs = zip_longest(model.class_names, examples.class_names)
    for index, (known, expected) in enumerate(pairs):
        if known != expected:
            raise ComponentError(
                f"Class {index} is {_quoted(known)} to the model ({len(model.class_names)} classes) and "
                f"{_quoted(expected)} in {examples.dataset} ({len(examples.class_names)} classes). "
                "Evaluate on the classes that the model was trained on, in the same order."
            )


def _quoted(class_name: str | None) -> str:
    return "unknown" if class_name is None else f'"{class_name}"'


def _check_untouched(examples: Examples) -> None:
    """Checks that no image of the test split is trained or tuned on."""
    test = dataset_reader.shard_spans(examples, "test", sys.maxsize)
    for split in (name for name in examples.splits if name != "test"):
        for span in dataset_reader.shard_spans(examples, split, sys.maxsize):
            for own in test:
                if own.overlaps(span):
                    raise ComponentError(
                        f'The test split ("{examples.splits["test"]}") and the {split} split '
                        f'("{examples.splits[split]}") of {examples.dataset} share images: a model would be judged on '
                        "what it was made with. Choose slices that do not overlap in the config of ingest."
                    )


def _check_baseline(version: Version, workspace: Workspace) -> None:
    try:
        load_classifier(workspace.fetch_version(version.folder))
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise ComponentError(
            f"Version {version.number}, which this model is to be compared with, cannot be loaded from "
            f"{version.folder}: {str(error).splitlines()[0][:300]}. Push it again, or remove its folder."
        ) from error


def _check_thresholds(
    class_names: tuple[str, ...], slice_by: tuple[str, ...], config: EvaluateConfig, has_findings: bool
) -> None:
    if not has_findings and (bounds := list(config.thresholds.on_findings())):
        raise ComponentError(
            f"evaluate.thresholds.{bounds[0]} bounds what inspect finds, and there are no findings. Set inspect to "
            "{}, or leave the bound out."
        )
    slices = [class_slice(name) for name in class_names]
    slices += [f"{Evaluation.ACROSS_SPLITS}={value}" for value in ("no", "yes") if has_findings]
    slices += [f"{name}={value}" for name in slice_by for _, value in BINS.get(name, ())]
    # The values of a dataset's feature are not known yet.
    open_names = {name for name in slice_by if name not in BINS}
    known = {OVERALL, *slices}
    some = ", ".join(slices[:_ALTERNATIVES])
    more = f" and {len(slices) - _ALTERNATIVES} more" if len(slices) > _ALTERNATIVES else ""
    for limit in config.thresholds.limits(class_names, config.top_k):
        if limit.metric == top_k_metric(config.top_k) and config.top_k >= len(class_names):
            raise ComponentError(
                f"thresholds.top_k_accuracy: the top {config.top_k} of {len(class_names)} classes always hold the "
                f"right one. Remove the threshold, or set evaluate.top_k below {len(class_names)}."
            )
        if limit.slice not in known and limit.slice.partition("=")[0] not in open_names:
            raise ComponentError(
                f'evaluate.thresholds asks for {limit.metric} of "{limit.slice}": there is no such slice. '
                f"Known are {some}{more}."
            )


def _check_signature(model: Model) -> None:
    """Checks that `serving_default` takes images as `Model` says, and returns a probability for each class."""
    signature = load_classifier(model.saved_model).signature
    expected = {"image": f"uint8 (n, {model.image_height}, {model.image_width}, 3)"}
    found = {name: _described(spec) for name, spec in signature.structured_input_signature[1].items()}
    if found != expected:
        raise ComponentError(f"serving_default of {model.saved_model} takes {found}, expected {expected}.")
    outputs = signature.structured_outputs
    classes = len(model.class_names)
    if "probabilities" not in outputs:
        raise ComponentError(
            f"serving_default of {model.saved_model} gives {sorted(outputs)}, expected `probabilities`."
        )
    if outputs["probabilities"].shape[-1] not in (None, classes):
        raise ComponentError(
            f"serving_default of {model.saved_model} gives {outputs['probabilities'].shape[-1]} probabilities, "
            f"but the model names {classes} classes."
        )


def _described(spec: Any) -> str:
    sizes = ", ".join("n" if size is None else str(size) for size in spec.shape)
    return f"{spec.dtype.name} ({sizes})"
