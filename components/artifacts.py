"""What flows between components: five nouns, each a small document beside its files.

An artifact is a folder. Its document, `<noun>.json`, holds what is small; everything else lies in files beside it.
`logs/` in the folder is for what differs from one attempt to the next (times, TensorBoard): no part of the digest.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

AnyArtifact = TypeVar("AnyArtifact", bound="Artifact")
Bounds = tuple[float, float]  # low, high


class Document(BaseModel):
    """A frozen record that refuses unknown keys. What is not a finite number is "NaN" or "Infinity" in its JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Artifact(Document):
    """A folder with a document in it. `folder`, `digest` and the places say where it is, not what it is."""

    # Names of the fields that hold paths outside of the folder: in the manifest, not in the document or the digest.
    PLACES: ClassVar[tuple[str, ...]] = ()

    folder: Path = Field(exclude=True)
    digest: str = Field(default="", exclude=True)  # SHA-256 of the payload; empty until it is committed

    @classmethod
    def kind(cls) -> str:
        """Returns the artifact's noun: `examples` for `Examples`."""
        return cls.__name__.lower()

    @classmethod
    def document_name(cls) -> str:
        """Returns the name of the document: `examples.json` for `Examples`."""
        return f"{cls.kind()}.json"

    def write(self: AnyArtifact) -> AnyArtifact:
        """Writes the document into the folder."""
        text = self.model_dump_json(indent=1, exclude=set(self.PLACES))
        (self.folder / self.document_name()).write_text(text + "\n", encoding="utf-8")
        return self

    @classmethod
    def read(cls: type[AnyArtifact], folder: Path, digest: str = "", **places: Path | None) -> AnyArtifact:
        """The artifact that `write` left in `folder`. Raises FileNotFoundError where there is none."""
        document = json.loads((folder / cls.document_name()).read_bytes())
        return cls.model_validate({**document, **places, "folder": folder, "digest": digest})

    def places(self) -> dict[str, Path]:
        """The paths outside of the folder that this artifact cannot do without, by field."""
        return {name: path for name in self.PLACES if (path := getattr(self, name)) is not None}

    def summary(self) -> dict[str, Any]:
        """Returns the few figures that a table of runs shows.

        Some words mean more to the orchestrator, whichever component says them: `blessed` (false: the run ends as not
        blessed) and `accuracy`; `version` (of what was published, or None) and `reasons` (why nothing was).
        """
        return {}


class Examples(Artifact):
    """Labelled images as a prepared TensorFlow Datasets folder, here (`dataset/`) or where TFDS already holds it.

    dataset/       only if ingest prepared it itself: TFRecord shards, dataset_info.json, features.json
    rejected.jsonl one {"file", "reason"} a line, for source files that could not be read

    Images are uint8 (height, width, 3), 0-255, RGB once decoded; labels are integers into `class_names`.
    """

    PLACES: ClassVar[tuple[str, ...]] = ("directory",)

    dataset: str  # name/version, e.g. "cifar10/3.0.2"
    content: str  # SHA-256 over the names, sizes and bytes of the prepared dataset's files
    directory: Path | None = None  # the prepared dataset, where it is not `folder / "dataset"`
    splits: dict[str, str]  # "train", "test" and mostly "validation": TFDS slices, e.g. "train[:96%]"
    example_counts: dict[str, int]  # by the same names
    class_names: tuple[str, ...]
    image_shape: tuple[int | None, int | None, int]  # (height, width, 3); None where sizes differ
    image_key: str = "image"
    label_key: str = "label"
    rejected_files: int = 0

    @property
    def prepared_directory(self) -> Path:
        """The folder that holds dataset_info.json."""
        return self.directory or self.folder / "dataset"

    def summary(self) -> dict[str, Any]:
        """Images by split, and what was left out."""
        return {**self.example_counts, "rejected": self.rejected_files}


class SplitStatistics(Document):
    """What one split looks like. Pixel values are scaled to 0-1 here, channels in RGB order."""

    example_count: int
    pixel_count: int
    channel_mean: tuple[float, float, float]
    channel_std: tuple[float, float, float]
    # Over all 2x2 patches, flattened in (row, column, channel) order: mean (12,), centred covariance (12, 12).
    patch_mean: tuple[float, ...]
    patch_covariance: tuple[tuple[float, ...], ...]
    class_counts: tuple[int, ...]
    image_sizes: dict[str, int]  # "32x32" (height x width): how many; beyond 100 sizes the rest under "other"


class Statistics(Artifact):
    """What one pass over the images found. No files beside the document."""

    splits: dict[str, SplitStatistics]
    duplicate_count: int  # images that occur more than once, pixel for pixel, over all splits
    leaked_count: int  # of these, images of the test split that are also trained or tuned on
    duplicates: tuple[dict[str, int], ...]  # the first of them: how often each split has the image
    warnings: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """What a reader should look at."""
        return {"duplicates": self.duplicate_count, "leaked": self.leaked_count, "warnings": len(self.warnings)}


class StartedFrom(Document):
    """What a warm start came to: the weights of a published version, or new ones and why."""

    version: int | None = None
    model_digest: str = ""
    reason: str = ""
    doubt: str = ""  # why the version may have been trained on images of the test split; empty if it was not

    def __str__(self) -> str:
        if self.version is None:
            return f"new weights: {self.reason}"
        return f"version {self.version}" + (f" ({self.doubt})" if self.doubt else "")


class Model(Artifact):
    """A trained classifier that takes raw pixels: normalization is inside.

    saved_model/   signatures, all with a free batch size:
                   `serving_default`  image: uint8 (n, height, width, 3), 0-255, RGB
                   `encoded`          image_bytes: string (n,), JPEG, PNG, GIF or BMP, cropped and resized as `images`
                                      both -> probabilities: float32 (n, classes), class_id: int64 (n,),
                                      class_name: string (n,)
                   `pixels`           image: float32 (n, height, width, 3), 0-255 -> probabilities: for converters
    history.json   one record an epoch: epoch, learning_rate, loss, accuracy; left_out_images where the recipe leaves
                   easy ones out; validation_loss, validation_accuracy
    validation.npz if there is a validation split: how sure the exported model is of each of its images and whether it
                   is right, confidence float32 (n,), correct bool (n,)
    logs/          TensorBoard event files; training.json: seconds, images_per_second, peak memory
    """

    class_names: tuple[str, ...]
    image_height: int
    image_width: int
    recipe: str
    parameter_count: int
    epochs: float
    trained_images: int  # images in the training split
    validation_accuracy: float | None = None
    temperature: float = 1.0  # logits are divided by it inside the model: fitted on the validation split
    started_from: StartedFrom | None = None  # None: a warm start was not asked for

    @property
    def validation_file(self) -> Path:
        """What the exported model said of the validation split; not there if there is none."""
        return self.folder / "validation.npz"

    @property
    def saved_model(self) -> Path:
        """The SavedModel's folder."""
        return self.folder / "saved_model"

    def summary(self) -> dict[str, Any]:
        """What was trained, and how well it did on what it was tuned on."""
        return {
            "recipe": self.recipe,
            "parameters": self.parameter_count,
            "epochs": self.epochs,
            "validation_accuracy": self.validation_accuracy,
            **({"started_from": str(self.started_from)} if self.started_from else {}),
            **({"doubt": self.started_from.doubt} if self.started_from and self.started_from.doubt else {}),
        }


class Check(Document):
    """One threshold and how it went."""

    metric: str
    slice: str  # "overall", or "class=frog"
    of: Literal["value", "change"] = "value"  # what is bounded: the figure, or its change from the baseline
    value: float
    interval: Bounds | None = None  # where the true value lies, at 95 %
    bound: str  # ">= 0.75"
    p_value: float | None = None  # of a change, over all slices: small if chance alone hardly explains it
    passed: bool
    reason: str  # a sentence


class Caption(Document):
    """From which confidence on a class is named, and what that comes to.

    The confidence is chosen on the validation split, and measured on the test split. Push hands it on as
    `confidence` in the model card; below it a caption stays silent.
    """

    stated_precision: float  # what was asked for: the fraction of named images that are right, 0-1
    confidence: float  # the smallest largest probability at which a class is named; above 1: none is reliable enough
    validation_images: int  # that it was chosen on
    precision: float | None  # on the test split; None if none of its images is named
    interval: Bounds | None  # of that precision, at 95 %
    named_fraction: float  # of the images of the test split


class Baseline(Document):
    """The published version that a model was compared with, on the same images."""

    version: int
    model_digest: str
    metrics: dict[str, float]  # as in Evaluation
    slices: dict[str, dict[str, float]]
    change_intervals: dict[
        str, dict[str, Bounds]
    ]  # by slice, "overall" too: of this model's figure less the baseline's


class Evaluation(Artifact):
    """What the model does on the test split, and whether that is good enough.

    predictions/   00003-of-00010.npz, one a shard, in the split's order: label int64 (n,), probabilities float32
                   (n, classes); baseline_probabilities, the same of the baseline, if there is one; and what slices
                   are made of, such as slice_brightness string (n,)
    """

    blessed: bool
    checks: tuple[Check, ...]
    example_count: int
    metrics: dict[str, float]  # overall
    slices: dict[str, dict[str, float]]  # "class=frog": metrics of that slice
    intervals: dict[str, dict[str, Bounds]] = {}  # by slice, "overall" too, and metric: at 95 %
    baseline: Baseline | None = None  # None: nothing was published yet, or nothing that tells the same classes apart
    caption: Caption | None = None  # None without a validation split
    class_names: tuple[str, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]  # rows: the true class; columns: the predicted one

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it was not blessed; empty if it was."""
        return tuple(check.reason for check in self.checks if not check.passed)

    def summary(self) -> dict[str, Any]:
        """The verdict and the overall figures."""
        return {"blessed": self.blessed, **self.metrics}


class Push(Artifact):
    """One published version, or the reason why there is none. What was published lies in `version_directory`.

    <pushed>/<version>/           a TensorFlow Serving model folder (saved_model.pb, variables/, ...), and in it
    <pushed>/<version>/assets.extra/   Classifier.mlpackage, provenance.json: what serving ignores
    """

    PLACES: ClassVar[tuple[str, ...]] = ("version_directory",)

    version: int | None
    reasons: tuple[str, ...] = ()  # why nothing was published
    version_directory: Path | None = None
    max_probability_difference: dict[str, float] = {}  # by exported file, against the evaluated predictions

    def summary(self) -> dict[str, Any]:
        """Which version, or why none."""
        return {"version": self.version, "reasons": list(self.reasons)}
