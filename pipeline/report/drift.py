"""How the data of a run differs from that of the version that its model is compared with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2_contingency, ks_2samp

from components.artifacts import Artifact, Evaluation, Examples, SplitStatistics, Statistics
from components.registry.layout import PROVENANCE, version_folder
from pipeline.report.predictions import read_probabilities
from pipeline.report.run_artifacts import ARTIFACTS, RunArtifacts
from pipeline.store.local_store import Store
from pipeline.store.manifest import Manifest

CHANNELS = ("red", "green", "blue")


class ChannelRow(NamedTuple):
    """One colour channel of the images to train on, 0-1."""

    name: str
    mean_before: float
    mean: float
    std_before: float
    std: float

    @property
    def shift(self) -> float:
        """Of the mean, in standard deviations of the old pixels."""
        return (self.mean - self.mean_before) / self.std_before if self.std_before else 0.0


class ClassRow(NamedTuple):
    """Which fraction of the images to train on is of one class; None where the class is not known."""

    name: str
    before: float | None
    now: float | None


class Balance(NamedTuple):
    """Of the classes."""

    rows: tuple[ClassRow, ...]  # the largest change first
    distance: float  # total variation: the fraction of images that would have to change their class
    p_value: float | None  # of Pearson's chi-square test; None where the classes are not the same


class PredictionDrift(NamedTuple):
    """How differently the published model answers to the old and the new images to bless with.

    Its probabilities serve as the embedding: S. Rabanser et al., Failing Loudly, NeurIPS 2019 (arXiv 1810.11953), who
    found a classifier's own outputs to tell shifts best; one Kolmogorov-Smirnov test a class, Bonferroni-corrected.
    """

    distance: float  # the largest of the classes' distances between distributions, 0-1
    class_name: str  # whose it is
    p_value: float
    confidence_before: float  # mean
    confidence: float


class Drift(NamedTuple):
    """`same` where both are of the same images: then there is nothing else to tell."""

    version: int
    same: bool = False
    obstacle: str = ""  # why they cannot be compared
    channels: tuple[ChannelRow, ...] = ()
    balance: Balance | None = None
    answers: PredictionDrift | None = None


def find_drift(run: RunArtifacts) -> Drift | None:
    """None without a version to compare with."""
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
    """Returns by kind what a version was made of, as far as it is still there."""
    path = version_folder(root, version) / PROVENANCE
    if not path.exists():
        return {}
    store = Store(root)
    manifests = json.loads(path.read_bytes()).get("artifacts", {})
    found = {name: Manifest.model_validate(manifest) for name, manifest in manifests.items() if name in ARTIFACTS}
    return {each.kind: store.load(each, ARTIFACTS[name]) for name, each in found.items() if not store.missing(each)}


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
    """None where the version's own predictions are not of the same classes."""
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
