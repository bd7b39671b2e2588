"""Lists and reads the photos of a folder, of a bucket, or of a prepared dataset, however many there are."""

from __future__ import annotations

import io
import itertools
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from components.component import ComponentError
from components.home import expand_home
from components.images.photos import UnreadableError
from components.ingest.fingerprint import listing_digest
from components.ingest.object_listing import Listing
from components.ingest.photo_tree import LeftOut, photos
from components.ingest.sources import PREPARED, is_prepared
from components.object_storage import RemoteFolder, is_remote
from pipeline.errors import UsageError
from pipeline.store.opening import require_bucket

_INDEXED = re.compile(r"(.+)\[(\d+):\d+\]")


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
        folder = Path(self.place)
        left_out: LeftOut = []
        for name in photos(folder, "", left_out):
            left_out.clear()  # as many as there are notes beside photos
            yield Listed(name, _state(folder / name))

    def find(self, names: Iterable[str]) -> Iterator[Found]:
        """Yields the photos of these names, to be read."""
        for name in names:
            yield Found(name, lambda path=Path(self.place, name): path)  # type: ignore[misc]


@dataclass(frozen=True)
class BucketSource:
    """The photos below an s3:// or gs:// URL. Each is fetched when it is read, and kept nowhere."""

    place: str

    def photos(self) -> Iterator[Listed]:
        """Yields all photos, by name. Raises OSError if the storage cannot be reached, UsageError if they are none."""
        for file in Listing(RemoteFolder(self.place).iter_files()):
            if posixpath.basename(file.name) == PREPARED:
                raise UsageError(
                    f"--input={self.place}: a prepared dataset is read from a folder only. Copy it to one."
                )
            yield Listed(file.name, f"{file.size} {file.modified_ns}")

    def find(self, names: Iterable[str]) -> Iterator[Found]:
        """Yields the photos of these names, to be read."""
        for name in names:
            yield Found(name, lambda name=name: self._fetch(name))  # type: ignore[misc]

    def _fetch(self, name: str) -> IO[bytes]:
        data = RemoteFolder(self.place).read(name)
        if data is None:
            raise UnreadableError("no such object")
        return io.BytesIO(data)


@dataclass(frozen=True)
class PreparedSource:
    """The images of all splits of a prepared dataset, by their files if it was made of files, or as `test[17:18]`."""

    place: str

    def photos(self) -> Iterator[Listed]:
        """Yields all images of all splits, in the stored order."""
        state = listing_digest(Path(self.place))
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

    def _builder(self) -> Any:
        import tensorflow_datasets as tfds

        return tfds.builder_from_directory(self.place)


Source = FolderSource | BucketSource | PreparedSource


def open_source(place: str) -> Source:
    """Returns the photos at a folder, a URL, or the folder of a prepared dataset. Raises UsageError if it is none."""
    if is_remote(place):
        require_bucket(place, "--input")
        return BucketSource(place.rstrip("/"))
    try:
        folder = expand_home(place, "--input")
    except ComponentError as error:
        raise UsageError(str(error)) from error
    if folder.is_file():
        raise UsageError(f"--input={place} is a file. Expected a folder; single photos are given without --input.")
    if not folder.is_dir():
        raise UsageError(f"--input={place}: there is no such folder. Expected one, or s3://BUCKET/FOLDER.")
    if not is_prepared(folder):
        return FolderSource(str(folder))
    _check_prepared(folder)
    return PreparedSource(str(folder))


def _check_prepared(folder: Path) -> None:
    import tensorflow_datasets as tfds

    try:
        info = tfds.builder_from_directory(folder).info
    except Exception as error:  # TFDS passes on whatever its parsers raise
        raise UsageError(
            f"--input={folder} is no dataset that TFDS can read: {type(error).__name__}: {error}"
        ) from error
    image_feature(info.features, str(folder))


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


def _state(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:  # its row will say why
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"
