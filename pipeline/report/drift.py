"""Drift: how a run's data differs from the data of the published version that its model is compared with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2_contingency, ks_2samp

from components.artifacts import Artifact, Evaluation, Examples, SplitStatistics, Statistics
from components.registry.layout import PROVENANCE, version_folder
from pipeline.orchestrator.run_artifacts import ARTIFACTS, RunArtifacts
from pipeline.report.predictions import read_probabilities
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest

CHANNELS = ("red", "green", "blue")


class ChannelRow(NamedTuple):
    """The statistics of one color channel over the training images, 0-1."""

    name: str
    mean_before: float
    mean: float
    std_before: float
    std: float

    @property
    def shift(self) -> float:
        """The shift of the mean, in standard deviations of the old pixels."""
        return (self.mean - self.mean_before) / self.std_before if self.std_before else 0.0


class ClassRow(NamedTuple):
    """The fraction of the training images that are of one class, 0-1; None if the class does not exist."""

    name: str
    before: float | None
    now: float | None


class Balance(NamedTuple):
    """The balance of the classes, before and now."""

    rows: tuple[ClassRow, ...]  # the largest change first
    distance: float  # total variation: the fraction of images that would have to change their class
    p_value: float | None  # of Pearson's chi-square test; None if the classes are not the same


class PredictionDrift(NamedTuple):
    """The difference between the published model's predictions on the old and on the new test images.

    One Kolmogorov-Smirnov test per class compares the distributions of its probability, Bonferroni-corrected. The
    method is that of S. Rabanser et al., Failing Loudly, NeurIPS 2019 (arXiv 1810.11953): they found that a
    classifier's own outputs detect shifts best.
    """

    distance: float  # the largest Kolmogorov-Smirnov distance of a class, 0-1
    class_name: str  # the class that has it
    p_value: float
    confidence_before: float  # mean over the old images
    confidence: float  # mean over the new images


class Drift(NamedTuple):
    """The drift from the data of a published version. If `same` is true, both used the same images and splits."""

    version: int
    same: bool = False
    obstacle: str = ""  # why they cannot be compared
    channels: tuple[ChannelRow, ...] = ()
    balance: Balance | None = None
    answers: PredictionDrift | None = None


def find_drift(run: RunArtifacts) -> Drift | None:
    """Returns the drift of a run's data, or None if the run's model is not compared with a published version."""
    evaluation, examples = run.evaluation, run.examples
    if evaluation is None or evaluation.baseline is None or examples is None:
        return None
    version = evaluation.baseline.version
    before = _artifacts_of(run.root, version)
    old_examples, old_statistics = before.get("examples"), before.get("statistics")
    if not isinstance(old_examples, Examples):
        return Drift(version, obstacle=f"The data of version {version} is no longer on record here.")
    if old_examples.content == examples.content and old_examples.splits == examples.splits:
        return Drift(version, same=True)
    statistics = run.statistics
    old_evaluation = before.get("evaluation")
    return Drift(
        version,
        channels=_channels(*_training(old_statistics, statistics)),
        balance=_balance(old_examples, examples, *_training(old_statistics, statistics)),
        answers=_answers(old_evaluation, evaluation) if isinstance(old_evaluation, Evaluation) else None,
    )


def _artifacts_of(root: Path, version: int) -> dict[str, Artifact]:
    """Returns, by kind, the artifacts that a version was made from and that still exist."""
    path = version_folder(root, version) / PROVENANCE
    if not path.exists():
        return {}
    store = Store(root)
    manifests = json.loads(path.read_bytes()).get("artifacts", {})
    found = {name: Manifest.model_validate(manifest) for name, manifest in manifests.items() if name in ARTIFACTS}
    return {each.kind: store.load(each, ARTIFACTS[name]) for name, each in found.items() if not store.faults(each)}


def _training(*statistics: Artifact | None) -> tuple[SplitStatistics | None, ...]:
    return tuple(each.splits.get("train") if isinstance(each, Statistics) else None for each in statistics)


def _channels(before: SplitStatistics | None, now: SplitStatistics | None) -> tuple[ChannelRow, ...]:
    if before is None or now is None:
        return ()
    columns = (CHANNELS, before.channel_mean, now.channel_mean, before.channel_std, now.channel_std)
    return tuple(ChannelRow(*row) for row in zip(*columns, strict=True))


def _balance(
    old: Examples, new: Examples, before: SplitStatistics | None, now: SplitStatistics | None
) -> Balance | None:
    if before is None or now is None:
        return None
    counts = [
        dict(zip(examples.class_names, split.class_counts, strict=True))
        for examples, split in ((old, before), (new, now))
    ]
    first, second = ({name: count / sum(each.values()) for name, count in each.items()} for each in counts)
    rows = [ClassRow(name, first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])]
    rows.sort(key=lambda row: -abs((row.now or 0) - (row.before or 0)))
    distance = sum(abs((row.now or 0) - (row.before or 0)) for row in rows) / 2
    table = np.array([list(each.values()) for each in counts]) if first.keys() == second.keys() else np.zeros((2, 0))
    table = table[:, table.sum(axis=0) > 0]
    return Balance(tuple(rows), distance, float(chi2_contingency(table).pvalue) if table.shape[1] > 1 else None)


def _answers(old: Evaluation, new: Evaluation) -> PredictionDrift | None:
    """Returns the drift of predictions, or None if the version's own predictions are not of the same classes."""
    before, now = read_probabilities(old), read_probabilities(new, "baseline_probabilities")
    if before is None or now is None or before.shape[1] != now.shape[1]:
        return None
    tests = [ks_2samp(before[:, label], now[:, label]) for label in range(before.shape[1])]
    furthest = int(np.argmax([test.statistic for test in tests]))
    return PredictionDrift(
        float(tests[furthest].statistic),
        new.class_names[furthest],
        min(1.0, len(tests) * min(float(test.pvalue) for test in tests)),
        float(before.max(axis=1).mean()),
        float(now.max(axis=1).mean()),
    )
