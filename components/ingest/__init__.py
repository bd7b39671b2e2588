"""Ingest: labelled images from TensorFlow Datasets, or from a folder of one's own, as Examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from components.artifacts import Artifact, Examples
from components.component import Component, Config, Workspace
from components.ingest.fingerprint import listing_digest, remote_listing_digest
from components.ingest.sources import is_path, is_prepared, locate, name_parts
from components.object_storage import RemoteFolder, is_remote


class Splits(Config):
    """Slices in TFDS's syntax: "train", "train[:96%]", "train[500:]+test". None may overlap another."""

    train: str
    validation: str | None = None
    test: str = Field(description="what a model must do well on to be pushed; nothing else sees it")

    def named(self) -> dict[str, str]:
        """Those that there are, by name."""
        return self.model_dump(exclude_none=True)


class IngestConfig(Config):
    """Which images, and which of them are for what."""

    dataset: str = Field(
        "cifar10_sample",
        description='a TFDS name ("cifar10", "ns:name/config:1.0.0"; "cifar10_sample" is in the package), or the path '
        "of a prepared dataset, or of a folder with a sub-folder per class (or per split, then per class): "
        '"/...", "./...", "~/...", "s3://bucket/...", "gs://bucket/..."',
    )
    data_dir: str | None = Field(None, description="where TFDS keeps prepared datasets; null is TFDS's own default")
    splits: Splits | None = Field(
        None, description="null: the dataset's own test and validation splits; where it has none, tenths of train"
    )
    image_key: str = "image"
    label_key: str = "label"
    max_rejected_fraction: float = Field(
        0.05, ge=0, le=1, description="of the files in a folder: if more cannot be read, the run fails"
    )

    @field_validator("dataset")
    @classmethod
    def _is_name_or_path(cls, dataset: str) -> str:
        if not is_path(dataset):
            name_parts(dataset)
        return dataset


@dataclass(frozen=True)
class Ingest(Component):
    """Finds, downloads or reads the images, and checks that they can be trained and judged on."""

    name: ClassVar[str] = "ingest"
    kept_with_version: ClassVar[bool] = True
    artifact: ClassVar[type[Artifact]] = Examples
    config: IngestConfig

    def identity(self) -> dict[str, Any]:
        """The config, but of paths only the last part: data that moves is the same data."""
        dataset = self.config.dataset
        if is_path(dataset):
            dataset = Path(dataset).expanduser().absolute().name
        return {**self.config.model_dump(mode="json", exclude={"data_dir"}), "dataset": dataset}

    def fingerprint(self, root: Path, inputs: Mapping[str, str]) -> str | None:
        """Of the names, sizes and times of the source's files; None while they are not there."""
        if is_remote(self.config.dataset):
            files = RemoteFolder(self.config.dataset).files()
            return remote_listing_digest(files) if files else None
        source = locate(self.config.dataset, self.config.data_dir, root)
        return None if source is None else listing_digest(source)

    def run(self, workspace: Workspace, *inputs: Any) -> Examples:
        """Nothing that TFDS holds already is copied; a folder of images becomes `dataset/` in the artifact."""
        from components.ingest.download import download
        from components.ingest.fetch import fetch
        from components.ingest.folder import import_folder
        from components.ingest.prepared import describe

        if is_remote(self.config.dataset):
            fetch(self.config.dataset, workspace)
        source = locate(self.config.dataset, self.config.data_dir, workspace.root)
        if source is None:
            source = download(self.config, workspace)
        if is_prepared(source):
            return describe(self.config, workspace, source)
        return import_folder(self.config, workspace, source)
