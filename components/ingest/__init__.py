"""Takes labeled images from TensorFlow Datasets (TFDS), or from a folder of one's own, as Examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from components.artifacts import Artifact, Examples
from components.component import ABSENT, ComponentConfig, ComponentError, Config, ShardedComponent, Workspace
from components.corrections_place import Place
from components.home import expand_home
from components.ingest import sources
from components.ingest.corrections import find_corrections, with_corrections
from components.ingest.fingerprint import listing_digest
from components.ingest.known_files import KnownFiles
from components.ingest.manifest_file import manifest_digest
from components.ingest.object_listing import StateDigest
from components.object_storage import RemoteFile, RemoteFolder, is_remote

if TYPE_CHECKING:
    import apache_beam as beam


class Splits(Config):
    """The splits, as slices in TFDS's syntax: "train", "train[:96%]", "train[500:]+test". None may overlap another."""

    train: str = Field(description="The TFDS slice that the model is trained on.")
    validation: str | None = Field(
        default=None,
        description="The TFDS slice that decides on the temperature, the caption confidence and an early stop; null "
        "leaves these out.",
    )
    test: str = Field(description="The TFDS slice on which the gate judges the model; training never reads it.")

    def named(self) -> dict[str, str]:
        """Returns the slices that are given, by the name of their split."""
        return self.model_dump(exclude_none=True)


class IngestConfig(ComponentConfig):
    """The config of ingest: which images are read, and to which split each belongs."""

    dataset: str = Field(
        "cifar10_sample",
        description='The images: a TFDS name such as "cifar10" or "namespace:name/config:1.0.0" ("cifar10_sample" '
        "comes with the package), or a path that begins with /, ./, ~/, s3:// or gs:// and names a prepared TFDS "
        "dataset; a folder with one sub-folder per class, or with one per split (train; val, valid, validation, dev; "
        "test, eval) and one per class in each; or a .csv file with the columns file and label, and perhaps split and "
        "group.",
    )
    data_dir: str | None = Field(
        None, description="The folder in which TFDS keeps prepared datasets; null is TFDS's default."
    )
    splits: Splits | None = Field(
        None,
        description="The slices for training, validation and test; null takes the dataset's own splits, each for "
        "what it is named for. What it lacks is then taken from train: a tenth each for validation and test; with a "
        "test split alone, the last 4 % for validation; with a validation split alone, the last tenth for test; but "
        "never more than 50,000 images each. Copies, bursts and groups of photos are kept in one of them.",
    )
    image_key: str = Field(default="image", description="The name of the dataset's feature that holds the image.")
    label_key: str = Field(default="label", description="The name of the dataset's feature that holds the label.")
    max_rejected_fraction: float = Field(
        0.05,
        ge=0,
        le=1,
        description="The largest fraction of a folder's files that may be unreadable, or that may lie under two labels "
        "as copies; beyond either the run fails.",
    )
    shorter_side_pixels: int | None = Field(
        512,
        ge=1,
        description="A folder's image whose shorter side is larger is stored shrunk to this many pixels: photos as "
        "JPEG, images of at most 256 colors as PNG. Choose at least the size on which you train; null stores all "
        "images in their own size, without loss.",
    )
    burst_seconds: float | None = Field(
        3.0,
        ge=0,
        description="Photos of one camera that were taken within so many seconds of each other, as their EXIF data "
        "says, are a burst: they are kept in one split where splits are taken from train. 0 or null looks for none.",
    )
    corrections: str | None = Field(
        None,
        description="The file in which `pipeline.review` notes what people decide about photos (another label, leave "
        "out, the same photo), and which is applied here; null is corrections.csv in the folder, or beside the "
        "manifest. Name another one, here or in object storage, if the folder cannot be written to.",
    )

    @field_validator("corrections")
    @classmethod
    def _is_a_file(cls, corrections: str | None) -> str | None:
        bucket, _, name = (corrections or "").partition("://")[2].partition("/")
        is_file = bucket and name and not name.endswith("/") if is_remote(corrections or "") else corrections != ""
        if not is_file:
            raise ValueError(
                f'"{corrections}" names no file, as "./corrections.csv" and "s3://bucket/corrections.csv" do'
            )
        return corrections

    @field_validator("dataset")
    @classmethod
    def _is_name_or_path(cls, dataset: str) -> str:
        if not sources.is_path(dataset):
            sources.name_parts(dataset)
        return dataset


@dataclass(frozen=True)
class Ingest(ShardedComponent):
    """The component that finds, downloads or reads the images, and checks that they can be trained and evaluated on."""

    name: ClassVar[str] = "ingest"
    kept_with_version: ClassVar[bool] = True
    artifact: ClassVar[type[Artifact]] = Examples
    libraries: ClassVar[tuple[str, ...]] = ("tensorflow", "tensorflow-datasets", "pillow", "pillow-heif")
    config: IngestConfig

    def identity(self) -> dict[str, Any]:
        """Returns the config with only the last part of paths: data that moves is the same data."""
        dataset = self.config.dataset
        if sources.is_path(dataset):
            dataset = expand_home(dataset, "ingest.dataset").name
        config = self.config.identity()
        del config["data_dir"], config["corrections"]  # what they say is part of the fingerprint
        return {**config, "dataset": dataset}

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str | None:
        """Returns a digest of the names, sizes and times of the source's files; None while they are not there.

        Photos that were read before and have a new time alone are read again, and count with the time they had. Raises
        ComponentError for a name that TFDS does not know, and OSError if there is no such bucket, or it cannot be
        reached.
        """
        if is_remote(self.config.dataset):
            return self._remote_fingerprint(root)
        source = sources.locate(self.config.dataset, self.config.data_dir, root)
        if source is not None and root.resolve().is_relative_to(source.resolve()):
            raise ComponentError(
                f"ingest.dataset={self.config.dataset}: the pipeline root {root} lies in this folder, so that each run "
                "would change its own source. Choose a --pipeline_root outside of it."
            )
        corrections = self._corrections(source)
        if source is None:
            sources.require_known(self.config.dataset)
            return None
        known = KnownFiles(root, source)
        if source.is_dir():
            digest = listing_digest(source, known.counted_ns if known else None)
        else:
            digest = manifest_digest(source, known.counted_ns)
        beside = source if source.is_dir() else source.parent
        digest = with_corrections(digest, corrections, beside, known.counted_ns)
        known.update()
        return digest

    def describe(self, inputs: Mapping[str, Artifact]) -> str:
        """Returns in words that a path of the config is not there: the run will refuse it."""
        return sources.missing_path(self.config.dataset)

    def _remote_fingerprint(self, root: Path) -> str | None:
        from components.ingest.fetch import check_prepared

        folder, manifest = sources.split_manifest(self.config.dataset)
        state = StateDigest.of(RemoteFolder(folder).iter_files(), manifest)
        if state.is_prepared:
            check_prepared(folder, state.hexdigest(), root)
        if not state.hexdigest():
            RemoteFolder(folder).require_existing_bucket()
            return None
        return self._with_remote_corrections(state.hexdigest())

    def _with_remote_corrections(self, digest: str) -> str:
        folder, _ = sources.split_manifest(self.config.dataset)
        return with_corrections(digest, find_corrections(Path(folder), self.config.corrections, folder))

    def _corrections(self, source: Path | None) -> Place | None:
        """Returns where the corrections of a source on this machine are; None: it is not there, or a TFDS dataset.

        Raises ComponentError if the config names corrections of a TFDS dataset, which has no files to name.
        """
        is_tfds = sources.is_prepared(source) if source else not sources.is_path(self.config.dataset)
        if source and not is_tfds:
            return find_corrections(source, self.config.corrections)
        if is_tfds and self.config.corrections is not None:
            raise ComponentError(
                f"ingest.corrections={self.config.corrections}: corrections name files, and {self.config.dataset} is a "
                "TFDS dataset, which has none. This is not supported yet: leave ingest.corrections out, or name a "
                "folder of photos as ingest.dataset"
            )
        return None

    def listing(self, place: Path) -> tuple[str, list[RemoteFile]] | None:
        """Returns the URL and the files of the prepared dataset that `place` is a copy of. See `Component`."""
        from components.ingest.fetch import list_copy

        url = self.config.dataset
        return (url, list(list_copy(url, place))) if is_remote(url) else None

    def bring(self, place: Path, workspace: Workspace) -> Path:
        """Returns where the prepared dataset is on this machine; one in object storage is fetched if it is not here.

        Raises ComponentError if it has changed since, or this machine does not have a local one.
        """
        from components.ingest.fetch import fetch_copy

        if not place.exists() and is_remote(self.config.dataset):
            return fetch_copy(self.config.dataset, place, workspace)
        return super().bring(place, workspace)

    def list_shards(self, workspace: Workspace, *inputs: Any) -> Iterable[Any]:
        """Returns spans of a folder's photos; none of data that TFDS holds already, or that it has to download."""
        from components.ingest.folder import plan

        source = self._locate(workspace)
        return [] if source is None or sources.is_prepared(source) else plan(self.config, workspace, source)

    def process(self, shards: beam.PCollection) -> beam.PCollection:
        """Builds the Beam graph that reads and encodes the photos of each span, and gives one `SpanRead` for it."""
        from components.ingest.span import scan

        return scan(shards)

    def combine(self, workspace: Workspace, results: list[Any], *inputs: Any) -> Examples:
        """Makes the Examples.

        Data that TFDS already holds is not copied; a folder of images becomes `dataset/` in the artifact.
        """
        from components.ingest.assembly import assemble
        from components.ingest.download import download
        from components.ingest.prepared import describe

        if results:
            return assemble(self.config, workspace, results)
        return describe(self.config, workspace, self._locate(workspace) or download(self.config, workspace))

    def _locate(self, workspace: Workspace) -> Path | None:
        """Returns the place of the data on this machine, to which what lies in object storage is copied; or None."""
        from components.ingest.fetch import fetch, list_data

        if not is_remote(self.config.dataset):
            return sources.locate(self.config.dataset, self.config.data_dir, workspace.root)
        listing = list_data(self.config.dataset)
        if workspace.fingerprint not in ("", ABSENT, self._with_remote_corrections(listing.digest)):
            raise ComponentError(
                f"ingest.dataset={self.config.dataset}: objects or corrections were written after the run had looked "
                "at them, so that its cache key would not be theirs. Run again once nobody writes there."
            )
        return fetch(self.config.dataset, listing, workspace)
