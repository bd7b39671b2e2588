"""Reads the published versions in `pushed/`, and finds the best of them.

Only versions with the same classes can be compared: each set of class names has a best version of its own.

`components.push` writes the files that are read here.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.intervals import wilson
from components.registry.layout import MODEL_CARD, PROVENANCE, version_number

# Of documents of another shape.
_DAMAGES = (ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError)


@dataclass(frozen=True)
class Version:
    """One published version of a model."""

    number: int
    folder: Path  # a SavedModel with the signatures of `components.artifacts.Model`
    model_digest: str
    class_names: tuple[str, ...]
    image_height: int
    image_width: int
    accuracy: float  # on the test split when it was published
    images: int  # in that test split
    baselines: str  # what it could be compared with before it was published, as `baselines` returns it
    statistics: str = ""  # folder of its Statistics, relative to the root; empty if unknown
    examples: str = ""  # folder of its Examples, likewise
    examples_digest: str = ""
    evaluation: str = ""  # folder of its Evaluation, likewise
    doubt: str = ""  # of a warm start: why it may have been trained on images of its test split; else empty


def numbers(pushed: Path) -> list[int]:
    """Returns the numbers of the versions that a server sees, ascending, whether they can be read or not."""
    names = os.listdir(pushed) if pushed.is_dir() else []
    return sorted(number for number in map(version_number, names) if number is not None)


def versions(pushed: Path) -> Iterator[Version]:
    """Yields every version that can be read, the oldest first."""
    for number in numbers(pushed):
        if (version := read_version(pushed / str(number))) is not None:
            yield version


def latest_version(pushed: Path, newest: float = math.inf) -> Path | None:
    """Returns the folder of the highest version, which TensorFlow Serving loads. None if nothing is published.

    Versions above the number `newest` are ignored.
    """
    return next((pushed / str(number) for number in reversed(numbers(pushed)) if number <= newest), None)


def best_version(pushed: Path, class_names: tuple[str, ...] | None = None, newest: float = math.inf) -> Version | None:
    """Returns the most accurate version of these classes, the newest if several are; None if there is none.

    Without `class_names`, the classes are those of the latest version. Versions above the number `newest` are ignored.
    """
    known = [version for version in versions(pushed) if version.number <= newest]
    if class_names is None and known:
        class_names = known[-1].class_names
    return max((version for version in known if version.class_names == class_names), key=_rank, default=None)


def _rank(version: Version) -> tuple[float, int]:
    return version.accuracy, version.number


def find_model(pushed: Path, model_digest: str) -> Version | None:
    """Returns the first version that was published of a model; None if there is none."""
    return next((version for version in versions(pushed) if version.model_digest == model_digest), None)


def baselines(pushed: Path, model_digest: str | None) -> str:
    """Returns the models to compare a model with, "digest:contenders" each, separated by spaces; empty if none.

    They are the best versions of every set of class names, because a model's digest does not tell its classes. With
    each goes the number of versions that chance may have made the best. A model that is published already is not
    compared with itself, but with what it was compared with before.
    """
    known = find_model(pushed, model_digest) if model_digest else None
    if known is not None:
        return known.baselines
    published = list(versions(pushed))
    by_classes: dict[tuple[str, ...], list[Version]] = {}
    for version in published:
        by_classes.setdefault(version.class_names, []).append(version)
    return " ".join(sorted(_baseline(among, published) for among in by_classes.values()))


def split_baselines(text: str) -> dict[str, int]:
    """Returns the number of contenders by model digest, of a text that `baselines` returned."""
    words = (word.partition(":") for word in text.split())
    return {digest: int(count or 1) for digest, _, count in words}  # without a count: published before it was kept


def may_be_best(accuracy: float, best: float, images: int) -> bool:
    """Returns whether a version of this accuracy may truly be as good as the one that did best on the test split.

    It may if the accuracy lies in the 95 % interval of the best one, measured on this many images.
    """
    return accuracy >= wilson(best, images).low


def _baseline(among: list[Version], published: list[Version]) -> str:
    """Returns the best of versions of the same classes, the oldest first, with the number of its contenders.

    Versions that were removed count as well: those that the newest one's record counts beyond the older ones still
    there. Their accuracy is no longer known.
    """
    best = max(among, key=_rank)
    there = {version.model_digest for version in among if may_be_best(version.accuracy, best.accuracy, best.images)}
    own = {version.model_digest for version in among}
    others = {version.model_digest for version in published} - own
    recorded = split_baselines(among[-1].baselines)
    counted = max((count for digest, count in recorded.items() if digest not in others), default=0)
    return f"{best.model_digest}:{len(there) + max(0, counted - len(own) + 1)}"


def fault(folder: Path) -> str:
    """Returns why the version in a folder cannot be read; an empty string if it can."""
    try:
        _parse(folder)
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    except _DAMAGES as error:
        return f"{folder / MODEL_CARD} or {folder / PROVENANCE} is damaged: {type(error).__name__}: {error}"
    return ""


def read_version(folder: Path) -> Version | None:
    """Returns the version in the folder; None if push did not write the folder, or if it is damaged."""
    try:
        return _parse(folder)
    except (OSError, *_DAMAGES):
        return None


def _parse(folder: Path) -> Version:
    """Reads the version in the folder. Raises OSError or one of `_DAMAGES` if that cannot be."""
    card = json.loads((folder / MODEL_CARD).read_bytes())
    provenance = json.loads((folder / PROVENANCE).read_bytes())
    comparison = next(file["comparison"] for file in card["files"] if file["variant"] == "saved_model")
    return Version(
        number=int(folder.name),
        folder=folder,
        model_digest=provenance["model_digest"],
        class_names=tuple(card["class_names"]),
        image_height=card["image_height"],
        image_width=card["image_width"],
        accuracy=comparison["accuracy"],
        images=comparison["images"],
        # The evaluation's fingerprint, from its manifest, which is part of the provenance.
        baselines=_recorded(provenance, "evaluation", "identity", "fingerprint"),
        statistics=_recorded(provenance, "statistics", "folder"),
        examples=_recorded(provenance, "examples", "folder"),
        examples_digest=_recorded(provenance, "examples", "digest"),
        evaluation=_recorded(provenance, "evaluation", "folder"),
        doubt=_recorded(provenance, "model", "summary", "doubt"),
    )


def _recorded(provenance: dict[str, Any], kind: str, *keys: str) -> str:
    """Returns a text of the manifest of an artifact of this kind; empty if there is none."""
    manifests = provenance.get("artifacts", {}).values()
    found: Any = next((manifest for manifest in manifests if manifest.get("kind") == kind), {})
    for key in keys:
        found = found.get(key, {})
    return found or ""
