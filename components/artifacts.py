"""Defines the artifacts that flow between components: Examples, Statistics, Embeddings, Model, Evaluation and Push.

An artifact is a folder. Its document, `<kind>.json`, holds the small values; everything else lies in files beside it.
`logs/` in the folder is for what differs from one attempt to the next (times, TensorBoard); the digest leaves it out.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

LOGS = "logs"  # a folder in an artifact for what is no part of its digest
AnyArtifact = TypeVar("AnyArtifact", bound="Artifact")
Bounds = tuple[float, float]  # low, high


class Document(BaseModel):
    """A frozen record that refuses unknown keys. Its JSON writes numbers that are not finite as "NaN" or "Infinity"."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Artifact(Document):
    """A folder with a document in it.

    `folder`, `digest` and the fields in `PLACES` say where the artifact is; they are no part of its document. The
    fields in `REMARKS` lie in a document in `logs/`: they tell people something, and change nothing downstream.
    """

    # Names of the fields that hold paths outside of the folder. They go into the manifest, not into the document or
    # the digest.
    PLACES: ClassVar[tuple[str, ...]] = ()
    REMARKS: ClassVar[tuple[str, ...]] = ()

    folder: Path = Field(exclude=True)
    digest: str = Field(default="", exclude=True)  # SHA-256 of the payload; empty until it is committed

    @classmethod
    def kind(cls) -> str:
        """Returns the artifact's kind: `examples` for `Examples`."""
        return cls.__name__.lower()

    @classmethod
    def document_name(cls) -> str:
        """Returns the name of the document: `examples.json` for `Examples`."""
        return f"{cls.kind()}.json"

    def write(self: AnyArtifact) -> AnyArtifact:
        """Writes the document into the folder, and returns the artifact."""
        text = self.model_dump_json(indent=1, exclude={*self.PLACES, *self.REMARKS})
        (self.folder / self.document_name()).write_text(text + "\n", encoding="utf-8")
        if any(getattr(self, name) for name in self.REMARKS):
            (self.folder / LOGS).mkdir(exist_ok=True)
            remarks = self.model_dump_json(indent=1, include=set(self.REMARKS))
            (self.folder / LOGS / self.document_name()).write_text(remarks + "\n", encoding="utf-8")
        return self

    @classmethod
    def read(cls: type[AnyArtifact], folder: Path, digest: str = "", **places: Path | None) -> AnyArtifact:
        """Returns the artifact that `write` left in `folder`. Raises FileNotFoundError if there is none."""
        document = json.loads((folder / cls.document_name()).read_bytes())
        logged = folder / LOGS / cls.document_name()
        remarks = json.loads(logged.read_bytes()) if cls.REMARKS and logged.exists() else {}
        return cls.model_validate({**document, **remarks, **places, "folder": folder, "digest": digest})

    def places(self) -> dict[str, Path]:
        """Returns the paths outside of the folder that this artifact cannot do without, by field name."""
        return {name: path for name in self.PLACES if (path := getattr(self, name)) is not None}

    def summary(self) -> dict[str, Any]:
        """Returns the few figures that a table of runs shows.

        Some keys have a meaning to the orchestrator, whichever component returns them: `blessed` (false: the run ends
        as not blessed), `accuracy`, `version` (the published version, or None) and `reasons` (why nothing was
        published).
        """
        return {}


class Examples(Artifact):
    """Labeled images in a prepared TensorFlow Datasets (TFDS) folder: `dataset/`, or the folder where TFDS holds them.

    dataset/       only if ingest prepared it itself: TFRecord shards, dataset_info.json, features.json
    logs/rejected.jsonl one {"file", "reason"} a line, for every source file or folder that was left out
    logs/conflicts.jsonl one {"files": {file: label}} a line, for pictures that lie under several labels

    Images are uint8 (height, width, 3), 0-255, RGB once decoded; labels are integers into `class_names`.
    """

    PLACES: ClassVar[tuple[str, ...]] = ("directory",)
    REMARKS: ClassVar[tuple[str, ...]] = (
        "rejected_files",
        "left_out_files",
        "corrections",
        "bursts",
        "source",
        "corrections_file",
    )

    dataset: str  # name/version, e.g. "cifar10/3.0.2"
    content: str  # SHA-256 over the names, sizes and bytes of the prepared dataset's files
    directory: Path | None = None  # the prepared dataset, if it is not `folder / "dataset"`
    splits: dict[str, str]  # of "train", "test" and usually "validation": TFDS slices, e.g. "train[:96%]"
    example_counts: dict[str, int]  # number of images by split
    class_names: tuple[str, ...]
    image_shape: tuple[int | None, int | None, int]  # (height, width, 3); height and width are None if sizes differ
    image_key: str = "image"
    label_key: str = "label"
    rejected_files: int = 0  # files that could not be read
    left_out_files: dict[str, int] = {}  # what else was left out, by the reason: litter, videos, conflicting copies
    # People's corrections of the photos: how many were applied, by decision, and `passed_over`.
    corrections: dict[str, int] = {}
    bursts: int = 0  # found by the times in EXIF data, each kept in one split
    source: str = ""  # the folder or manifest that was read, where it was then; empty: TFDS's own files
    corrections_file: str = ""  # where corrections of it are read, if there are any; empty: nowhere

    @property
    def prepared_directory(self) -> Path:
        """The folder that holds dataset_info.json."""
        return self.directory or self.folder / "dataset"

    def summary(self) -> dict[str, Any]:
        """Returns the number of images of each split, of files that could not be read, of corrections and bursts."""
        applied = sum(self.corrections.values()) - self.corrections.get("passed_over", 0)
        corrected = {"corrections": applied} if self.corrections else {}
        bursts = {"bursts": self.bursts} if self.bursts else {}
        return {**self.example_counts, "rejected": self.rejected_files, **corrected, **bursts}


class SplitStatistics(Document):
    """Statistics of one split. Pixel values are scaled to 0-1; channels are in RGB order."""

    example_count: int
    pixel_count: int
    channel_mean: tuple[float, float, float]
    channel_std: tuple[float, float, float]
    # Over all 2x2 patches, flattened in (row, column, channel) order: mean (12,), centered covariance (12, 12).
    patch_mean: tuple[float, ...]
    patch_covariance: tuple[tuple[float, ...], ...]
    class_counts: tuple[int, ...]
    image_sizes: dict[str, int]  # images by size, "32x32" (height x width); beyond 100 sizes, "other" counts the rest


class Statistics(Artifact):
    """Findings of one pass over the images. There are no files beside the document."""

    REMARKS: ClassVar[tuple[str, ...]] = ("warnings",)

    splits: dict[str, SplitStatistics]
    duplicate_count: int  # distinct images that occur more than once, pixel for pixel, over all splits
    leaked_count: int  # those of them that are both in the test split and in another one
    duplicates: tuple[dict[str, int], ...]  # of the first duplicates: how often each split has the image
    warnings: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Returns the number of duplicates, of leaked images and of warnings."""
        return {"duplicates": self.duplicate_count, "leaked": self.leaked_count, "warnings": len(self.warnings)}


class Embeddings(Artifact):
    """Vectors of features that a pretrained network, the backbone, computes of the images.

    vectors/   train-00003-of-00010.npz, one a shard, in the order of the split; the same for "validation", and for
               "test" if the config asks for it: label int64 (n,), digest uint8 (n, 16) of the images' bytes as stored
               (the first bytes of their SHA-256), center float16 (n, features) of the images, mirror float16
               (n, features) of their mirror images, and for "train" windows float16 (n, windows, features) of random
               windows of them, if the config asks for some
    logs/method.txt  the digest of all that decides a vector, but for the image
    """

    VECTORS: ClassVar[str] = "vectors"
    REMARKS: ClassVar[tuple[str, ...]] = ("computed_images",)

    backbone: str
    weights_digest: str  # SHA-256 of the file of the backbone's weights
    image_size_pixels: int  # height and width of the images that the backbone saw
    image_counts: dict[str, int]  # by split
    computed_images: int = 0  # the others' vectors were taken from earlier embeddings

    def files(self, split: str) -> list[Path]:
        """Returns the files of a split, in its order."""
        return sorted((self.folder / self.VECTORS).glob(f"{split}-*.npz"))

    def summary(self) -> dict[str, Any]:
        """Returns the backbone, the size of the images for it, their number, and how many were computed anew."""
        return {
            "backbone": self.backbone,
            "image_size_pixels": self.image_size_pixels,
            "images": sum(self.image_counts.values()),
            "computed": self.computed_images,
        }


class StartedFrom(Document):
    """The origin of a warm start's weights: a published version, or new weights and the reason for them."""

    version: int | None = None
    model_digest: str = ""
    reason: str = ""
    doubt: str = ""  # why the version may have been trained on images of the test split; empty: it was not

    def __str__(self) -> str:
        if self.version is None:
            return f"new weights: {self.reason}"
        return f"version {self.version}" + (f" ({self.doubt})" if self.doubt else "")


class CrossValidated(Document):
    """How many images were classified rightly by classifiers that were made without them.

    Beside the model, its head was fitted several times, each time without some of the training images, and judged by
    these. Such heads saw fewer images than the model's own, so that it is rather better than they are. Photos that
    nearly repeat each other, such as a burst, make the count too high.
    """

    right_images: int = Field(ge=0)
    images: int = Field(gt=0)

    @property
    def accuracy(self) -> float:
        """The fraction of the images that are right, 0-1."""
        return self.right_images / self.images


class Model(Artifact):
    """A trained classifier that takes raw pixels: normalization is inside.

    saved_model/   signatures, all with a free batch size:
                   `serving_default`  image: uint8 (n, height, width, 3), 0-255, RGB
                   `encoded`          image_bytes: string (n,), JPEG, PNG, GIF or BMP, turned as EXIF says, laid on
                                      white, cropped and resized as in `components.images.resize`; ICC profiles are
                                      ignored: colors are taken as sRGB
                                      both -> probabilities: float32 (n, classes), class_id: int64 (n,),
                                      class_name: string (n,)
                   `pixels`           image: float32 (n, height, width, 3), 0-255 -> probabilities: for converters
    history.json   one record an epoch: epoch, learning_rate, loss, accuracy; left_out_images if the recipe leaves easy
                   images out; validation_loss and validation_accuracy if there is a validation split
    validation.npz if there is a validation split: the exported model's largest probability for each of its images, and
                   whether the predicted class is right: confidence float32 (n,), correct bool (n,). A head that was
                   fitted on stored features adds the training images, each judged by a head fitted without it
    logs/          TensorBoard event files; training.json: seconds, images_per_second, peak memory
    """

    REMARKS: ClassVar[tuple[str, ...]] = ("recipe_reason",)

    class_names: tuple[str, ...]
    image_height: int
    image_width: int
    recipe: str
    recipe_reason: str = ""  # why it is this recipe, if it was chosen by the images
    precision: Literal["float32", "bfloat16"] = "float32"  # of the convolutions while training
    parameter_count: int
    epochs: float
    trained_images: int  # images in the training split
    validation_accuracy: float | None = None
    temperature: float = 1.0  # divides the logits inside the model; fitted on the validation split
    started_from: StartedFrom | None = None  # None: the config asks for no warm start
    # Over the training and validation images, if only a head was fitted: no head learns from the validation images.
    cross_validated: CrossValidated | None = None

    @property
    def validation_file(self) -> Path:
        """The predictions of the exported model for the validation split.

        The file exists only if there is such a split.
        """
        return self.folder / "validation.npz"

    @property
    def saved_model(self) -> Path:
        """The folder of the SavedModel."""
        return self.folder / "saved_model"

    def summary(self) -> dict[str, Any]:
        """Returns what was trained, and its accuracy on the validation split."""
        return {
            "recipe": self.recipe,
            "precision": self.precision,
            "parameters": self.parameter_count,
            "epochs": self.epochs,
            "validation_accuracy": self.validation_accuracy,
            **({"cross_validated_accuracy": self.cross_validated.accuracy} if self.cross_validated else {}),
            **({"started_from": str(self.started_from)} if self.started_from else {}),
            **({"doubt": self.started_from.doubt} if self.started_from and self.started_from.doubt else {}),
            **({"recipe_reason": self.recipe_reason} if self.recipe_reason else {}),
        }


class Check(Document):
    """One threshold of the gate, the figure that it bounds, and whether it holds."""

    metric: str
    slice: str  # "overall", or "class=frog"
    of: Literal["value", "change"] = "value"  # whether the figure is bounded, or its change from the baseline
    value: float
    cross_validated: bool = False  # whether the value is that of `Evaluation.cross_validated`
    interval: Bounds | None = None  # 95 % interval of the true value
    bound: str  # ">= 0.75"
    # Of a change: small if chance hardly explains it. Corrected for the number of slices, and of versions that chance
    # may have made the baseline.
    p_value: float | None = None
    passed: bool
    reason: str  # one sentence for people

    @property
    def was_judged(self) -> bool:
        """Whether there was a figure to judge; a check without one passes, and its reason says why."""
        return not self.passed or (not math.isnan(self.value) and (self.of == "value" or self.p_value is not None))


class Caption(Document):
    """The confidence from which on a caption names the class, and how precise such captions are.

    The confidence is chosen on the validation split and measured on the test split. Push writes it into the model card
    as `confidence`; below it, a caption names no class.
    """

    stated_precision: float  # precision that the config asks for: the fraction of named images that are right, 0-1
    confidence: float  # a class is named if its probability is at least this; above 1: no class is ever named
    validation_images: int  # number of images that the confidence was chosen on
    precision: float | None  # on the test split; None if no class is named for any of its images
    interval: Bounds | None  # 95 % interval of that precision
    named_fraction: float  # fraction of the test split's images whose class is named, 0-1


class Baseline(Document):
    """The published version that a model was compared with, on the same images."""

    version: int
    model_digest: str
    metrics: dict[str, float]  # as in Evaluation
    slices: dict[str, dict[str, float]]
    change_intervals: dict[str, dict[str, Bounds]]  # by slice and metric: this model's figure minus the baseline's


class Evaluation(Artifact):
    """Predictions and metrics of a model on the test split, and whether it passes the gate.

    predictions/   00003-of-00010.npz, one a shard, in the split's order: label int64 (n,), probabilities float32
                   (n, classes); digest uint8 (n, 16) of the pixels that the model took; baseline_probabilities of the
                   same shape as probabilities, if there is a baseline; and the values by which images are sliced, such
                   as slice_brightness string (n,)
    """

    # What is sliced by if there are Findings: "yes" for test images with a near copy in another split, "no" for others.
    ACROSS_SPLITS: ClassVar[str] = "near_copy_across_splits"

    blessed: bool
    checks: tuple[Check, ...]
    example_count: int
    metrics: dict[str, float]  # overall
    slices: dict[str, dict[str, float]]  # "class=frog": metrics of that slice
    intervals: dict[str, dict[str, Bounds]] = {}  # 95 % intervals by slice ("overall" too) and metric
    # Over the images of the test split and of the model's own `cross_validated`; None if the test split is large enough
    # to judge by alone, or the model has no such figure.
    cross_validated: CrossValidated | None = None
    baseline: Baseline | None = None  # None: no version is published yet, or none with the same classes
    caption: Caption | None = None  # None if there is no validation split
    class_names: tuple[str, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]  # rows: the true class; columns: the predicted one

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons why the model was not blessed; empty if it was."""
        return tuple(check.reason for check in self.checks if not check.passed)

    def near_copies(self) -> tuple[dict[str, float], dict[str, float]] | None:
        """Returns the metrics of images without and with a near copy in another split; None unless there are both."""
        rest, copied = (self.slices.get(f"{self.ACROSS_SPLITS}={value}") for value in ("no", "yes"))
        return None if rest is None or copied is None else (rest, copied)

    def summary(self) -> dict[str, Any]:
        """Returns whether the model was blessed, and its metrics over all images."""
        near_copies = self.near_copies()
        return {
            "blessed": self.blessed,
            **self.metrics,
            **({"accuracy_without_near_copies": near_copies[0]["accuracy"]} if near_copies else {}),
            **({"cross_validated_accuracy": self.cross_validated.accuracy} if self.cross_validated else {}),
        }


class Push(Artifact):
    """One published version, or the reasons why nothing was published. The published files lie in `version_directory`.

    <pushed>/<version>/           a TensorFlow Serving model folder (saved_model.pb, variables/, ...), and in it
    <pushed>/<version>/assets.extra/   Classifier.mlpackage, provenance.json: what serving ignores
    """

    PLACES: ClassVar[tuple[str, ...]] = ("version_directory",)

    version: int | None
    reasons: tuple[str, ...] = ()  # why nothing was published; empty if something was
    version_directory: Path | None = None
    max_probability_difference: dict[str, float] = {}  # by exported file, from the evaluated predictions

    def summary(self) -> dict[str, Any]:
        """Returns the number of the version, or None, and the reasons why nothing was published."""
        return {"version": self.version, "reasons": list(self.reasons)}
