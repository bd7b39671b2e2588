"""The folder of predictions, on this machine or in object storage: a Parquet file for each shard that is done.

_predictions.json      what the rows are of: the input and the version
_names/<digest>.json   the names of a shard's photos, for the worker that reads them; gone at the end
<digest>.parquet       the rows of a shard

Readers of Parquet folders pass over names that begin with `_`. Each file appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.component import ComponentError
from components.home import expand_home
from components.local_folder import LocalFolder, folder_at
from components.object_storage import RemoteFolder, is_remote
from pipeline.errors import UsageError
from pipeline.predict.row import Row, to_table
from pipeline.store.opening import require_bucket

if TYPE_CHECKING:
    import pyarrow as pa

_DOCUMENT, _NAMES, _SUFFIX = "_predictions.json", "_names", ".parquet"
_PHOTOS, _ERRORS = b"photos", b"errors"  # what the metadata of a file of rows counts


@dataclass(frozen=True)
class RowsFolder:
    """A folder of rows. Methods raise OSError if it cannot be reached or written."""

    place: str  # an absolute path, or a URL

    def claim(self, document: dict[str, Any]) -> None:
        """Notes what the rows are of. Raises UsageError if the folder holds other rows, or other files.

        Of several commands at once, the first one decides.
        """
        found = next(self._files.iter_files(), None)  # before the look at the document, which comes before other files
        if (there := self.document()) is None:
            if found:
                raise UsageError(
                    f"--output={self.place} has files that are no predictions in it, such as {found.name}. Name a new "
                    "folder."
                )
            data = (json.dumps(document, indent=1) + "\n").encode()
            if self._files.create(_DOCUMENT, data):
                return
            there = self.document() or {}
        _require_same(there, document, self.place)

    def document(self) -> dict[str, Any] | None:
        """Returns what the rows are of; None if nothing says so. Raises UsageError if it is damaged."""
        data = self._files.read(_DOCUMENT)
        if data is None:
            return None
        with contextlib.suppress(ValueError, RecursionError):
            parsed = json.loads(data)
            if isinstance(parsed, dict):
                return parsed
        raise UsageError(
            f"{self.place}: {_DOCUMENT} in it is damaged, so nothing says what its rows are of. Name a new folder, or "
            "remove this one."
        )

    def done(self) -> set[str]:
        """Returns the digests of the shards whose rows are here."""
        names = (file.name for file in self._files.iter_files())
        return {name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX) and "/" not in name}

    def has(self, digest: str) -> bool:
        """Returns whether the rows of a shard are here."""
        return self._files.state(digest + _SUFFIX) != (0, 0)

    def write_names(self, digest: str, names: Sequence[str]) -> None:
        """Leaves the names of a shard's photos for its worker."""
        self._files.write(_names_of(digest), json.dumps(names).encode())

    def read_names(self, digest: str) -> list[str]:
        """Returns the names of a shard's photos. Raises ComponentError if another command has removed them."""
        data = self._files.read(_names_of(digest))
        if data is None:
            raise ComponentError(f"{self.place}/{_names_of(digest)} is gone: has something else worked there?")
        names: list[str] = json.loads(data)
        return names

    def remove_names(self) -> None:
        """Removes the names of all shards."""
        self._files.remove_files([file.name for file in self._files.iter_files(_NAMES)])

    def write(self, digest: str, rows: Sequence[Row]) -> None:
        """Writes the rows of a shard."""
        import pyarrow.parquet as pq

        errors = sum(row.error is not None for row in rows)
        counts = {_PHOTOS: str(len(rows)).encode(), _ERRORS: str(errors).encode()}
        data = io.BytesIO()
        pq.write_table(to_table(rows).replace_schema_metadata(counts), data)
        self._files.write(digest + _SUFFIX, data.getvalue())

    def count_errors(self, digest: str) -> int | None:
        """Returns how many photos of a shard have no prediction; None if its file is gone or damaged."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        data = self._files.read(digest + _SUFFIX)
        try:
            return int(pq.read_metadata(io.BytesIO(data or b"")).metadata[_ERRORS])
        except (pa.ArrowInvalid, KeyError, TypeError):
            return None

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yields these columns of the rows, a shard at a time. Raises UsageError for a damaged file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for digest in sorted(self.done()):
            data = self._files.read(digest + _SUFFIX) or b""
            try:
                yield pq.read_table(io.BytesIO(data), columns=list(columns))
            except pa.ArrowInvalid as error:
                raise UsageError(
                    f"{self.place}/{digest}{_SUFFIX} is damaged: {error}. Start the command that made the rows again."
                ) from error

    def remove(self, digests: Iterable[str]) -> None:
        """Removes the rows of shards, if they are here."""
        self._files.remove_files([digest + _SUFFIX for digest in digests])

    @property
    def _files(self) -> LocalFolder | RemoteFolder:
        return folder_at(self.place)


def _names_of(digest: str) -> str:
    return f"{_NAMES}/{digest}.json"


def open_rows(place: str, source: str) -> RowsFolder:
    """Returns the folder of rows at a path or a URL. Raises UsageError for a file, and if rows would lie among photos.

    `source` is the absolute path or the URL of the photos.
    """
    if is_remote(place):
        require_bucket(place, "--output")
    folder = place.rstrip("/") if is_remote(place) else _local(place)
    outer = source if is_remote(source) else str(Path(source).resolve())
    if f"{folder}/".startswith(f"{outer.rstrip('/')}/"):
        raise UsageError(f"--output={place} lies in --input={source}, whose files are photos. Name a folder elsewhere.")
    return RowsFolder(folder)


def _local(place: str) -> str:
    try:
        folder = expand_home(place, "--output").resolve()
    except ComponentError as error:
        raise UsageError(str(error)) from error
    for each in (folder, *folder.parents):
        if each.exists() and not each.is_dir():
            raise UsageError(f"--output={place}: {each} is a file. Expected a folder, which need not be there yet.")
    return str(folder)


def _require_same(there: dict[str, Any], document: dict[str, Any], place: str) -> None:
    if there == document:
        return
    if there.get("version_digest") != document["version_digest"]:
        same_number = there.get("version") == document["version"]
        raise UsageError(
            f"--output={place} holds predictions of version {there.get('version')}; these would be of "
            f"{'another version' if same_number else 'version'} {document['version']}. Name another folder"
            + ("." if same_number else f", or go on with --version={there.get('version')}.")
        )
    raise UsageError(
        f"--output={place} holds predictions for {there.get('input')}; these would be for {document['input']}. Name "
        "another folder."
    )
