"""Lists and reads the photos of a folder, of a bucket, or of a prepared dataset, however many there are."""

from __future__ import annotations

import functools
import io
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from components.component import ComponentError, Workspace
from components.home import expand_home
from components.images.photos import UnreadableError
from components.ingest.fetch import fetch_copy, list_data
from components.ingest.fingerprint import listing_digest
from components.ingest.litter import is_litter_path, no_image_kind
from components.ingest.photo_tree import LeftOut, photos
from components.ingest.sources import PREPARED, is_prepared
from components.local_copies import DataCopy, local_copy
from components.object_storage import RemoteFolder, is_remote
from components.thread_map import map_in_order
from pipeline.errors import UsageError
from pipeline.store.opening import require_bucket

_INDEXED = re.compile(r"(.+)\[(\d+):\d+\]")
_REQUESTS = 8  # to object storage at once


class Listed(NamedTuple):
    """A photo as a source lists it."""

    name: str  # relative to the source
    state: str  # another one once the photo has changed


class Found(NamedTuple):
    """A photo that is to be read. `open` gives its path or its bytes, and raises UnreadableError if it is gone."""

    file: str  # by which people know it
    open: Callable[[], Path | IO[bytes]]


@dataclass(frozen=True)
class FolderSource:
    """The photos at any depth below a folder that every worker sees under the same path."""

    place: str

    def photos(self) -> Iterator[Listed]:
        """Yields all photos, in an order that stays. Raises ComponentError for a folder that cannot be listed."""
        left_out: LeftOut = []
        for name in photos(Path(self.place), "", left_out):
            left_out.clear()  # as many as there are notes beside photos
            yield Listed(name, _state(f"{self.place}/{name}"))

    def find(self, names: Iterable[str]) -> Iterator[Found]:
        """Yields the photos of these names, to be read."""
        for name in names:
            yield Found(name, lambda path=Path(self.place, name): path)  # type: ignore[misc]

    def has(self, name: str) -> bool:
        """Returns whether there is a file, or a link, of this name."""
        return os.path.lexists(os.path.join(self.place, name))


@dataclass(frozen=True)
class BucketSource:
    """The photos below an s3:// or gs:// URL. They are fetched a few ahead of who reads them, and kept nowhere."""

    place: str

    def photos(self) -> Iterator[Listed]:
        """Yields all photos, by name. Raises OSError if the storage cannot be reached.

        Only a page of the listing is in memory. Names that no file can have are names here.
        """
        for file in RemoteFolder(self.place).iter_files():
            if not is_litter_path(file.name) and not no_image_kind(file.name):
                yield Listed(file.name, f"{file.size} {file.modified_ns}")

    def find(self, names: Iterable[str]) -> Iterator[Found]:
        """Yields the photos of these names, to be read. Raises OSError if the storage cannot be reached."""
        wanted = list(names)
        for name, data in zip(wanted, map_in_order(RemoteFolder(self.place).read, wanted, _REQUESTS), strict=True):
            yield Found(name, functools.partial(_open_object, data))

    def has(self, name: str) -> bool:
        """Returns whether there is an object of this name. Raises OSError if the storage cannot be reached."""
        return RemoteFolder(self.place).state(name) != (0, 0)


def _open_object(data: bytes | None) -> IO[bytes]:
    if data is None:
        raise UnreadableError("no such object")
    return io.BytesIO(data)


@dataclass(frozen=True)
class PreparedSource:
    """The images of all splits of a prepared dataset, by their files if it was made of files, or as `test[17:18]`.

    One in object storage is copied to each machine that reads it, as a run does.
    """

    place: str
    state: str = ""  # of one in object storage: the digest of its objects
    root: str = ""  # the pipeline root, whose clean-up removes copies

    def photos(self) -> Iterator[Listed]:
        """Yields all images of all splits, in the stored order."""
        state = self.state or listing_digest(Path(self.place))
        for split, info in sorted(self._builder().info.splits.items()):
            yield from (Listed(f"{split}[{index}:{index + 1}]", state) for index in range(info.num_examples))

    def find(self, names: Iterable[str]) -> Iterator[Found]:
        """Yields the images of these names, to be read: each row of neighbors in one go."""
        places = [(match[1], int(match[2]), match[0]) for match in map(_INDEXED.fullmatch, names) if match]
        for (split, _), run in itertools.groupby(enumerate(places), lambda item: (item[1][0], item[1][1] - item[0])):
            row = [place for _, place in run]
            yield from self._find_row(split, row[0][1], [name for _, _, name in row])

    def _find_row(self, split: str, start: int, names: list[str]) -> Iterator[Found]:
        import tensorflow_datasets as tfds

        from components.dataset_reader import FILE

        builder = self._builder()
        key = image_feature(builder.info.features, self.place)
        wanted = {each: True for each in (key, FILE) if each in builder.info.features}
        decoders = tfds.decode.PartialDecoding(wanted, decoders={key: tfds.decode.SkipDecoding()})
        stored = builder.as_dataset(
            split=f"{split}[{start}:{start + len(names)}]",
            decoders=decoders,
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
        )
        for name, example in zip(names, stored.as_numpy_iterator(), strict=True):
            file = os.fsdecode(example[FILE]) if FILE in example else name
            yield Found(file, lambda data=example[key]: io.BytesIO(data))  # type: ignore[misc]

    def has(self, name: str) -> bool:
        """Returns whether the dataset is there."""
        return bool(self.state) or is_prepared(Path(self.place))

    def folder(self) -> Path:
        """Returns the folder of the dataset on this machine, after copying it there if need be.

        Raises ComponentError if there is another state of it in object storage by now, and OSError if that cannot be
        reached.
        """
        if not self.state:
            return Path(self.place)
        copy = DataCopy(self.place, self.state).folder
        if not copy.is_dir():  # a copy appears whole
            root = local_copy(self.root) if is_remote(self.root) else Path(self.root)
            fetch_copy(self.place, copy, Workspace(folder=copy, scratch=copy, root=root))
        return copy

    def _builder(self) -> Any:
        import tensorflow_datasets as tfds

        return tfds.builder_from_directory(self.folder())


Source = FolderSource | BucketSource | PreparedSource


def open_source(place: str, root: str | Path) -> Source:
    """Returns the photos at a folder, a URL, or the folder or URL of a prepared dataset; `root` is the pipeline root.

    Raises UsageError if it is none, and OSError if there is no such bucket, or it cannot be reached.
    """
    if is_remote(place):
        require_bucket(place, "--input")
        return _in_bucket(place.rstrip("/"), str(root))
    try:
        folder = expand_home(place, "--input")
    except ComponentError as error:
        raise UsageError(str(error)) from error
    if folder.is_file():
        raise UsageError(f"--input={place} is a file. Expected a folder; single photos are given without --input.")
    if not folder.is_dir():
        raise UsageError(f"--input={place}: there is no such folder. Expected one, or s3://BUCKET/FOLDER.")
    return _checked(PreparedSource(str(folder))) if is_prepared(folder) else FolderSource(str(folder))


def _in_bucket(url: str, root: str) -> Source:
    if RemoteFolder(url).state(PREPARED) == (0, 0):
        RemoteFolder(url).require_existing_bucket()
        return BucketSource(url)
    return _checked(PreparedSource(url, list_data(url).digest, root))


def _checked(source: PreparedSource) -> PreparedSource:
    import tensorflow_datasets as tfds

    folder = source.folder()
    try:
        info = tfds.builder_from_directory(folder).info
    except Exception as error:  # TFDS passes on whatever its parsers raise
        raise UsageError(
            f"--input={source.place} is no dataset that TFDS can read: {type(error).__name__}: {error}"
        ) from error
    image_feature(info.features, source.place)
    return source


def image_feature(features: Any, place: str) -> str:
    """Returns the name of the feature that holds images: "image", or the only one. Raises UsageError if unclear."""
    import tensorflow_datasets as tfds

    named = features.items() if isinstance(features, tfds.features.FeaturesDict) else ()
    found = [name for name, feature in named if isinstance(feature, tfds.features.Image)]
    if "image" in found:
        return "image"
    if len(found) != 1:
        raise UsageError(f"--input={place}: its features of images are {found}. Expected one, or one called 'image'.")
    return found[0]


def _state(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError:  # its row will say why
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"
