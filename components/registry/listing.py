"""What object storage has of the published versions, as one listing found it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from components.object_storage import RemoteFile
from components.registry.layout import CLAIMS, PINNED, PROVENANCE, WITHDRAWN, version_number
from components.registry.staging import parse_provenance


class Listing:
    """The objects below `pushed/`. A version is whole once its provenance is there, which is uploaded last."""

    def __init__(self, files: Iterable[RemoteFile]) -> None:
        self.files: dict[int, dict[str, RemoteFile]] = defaultdict(dict)  # by number, and by the name in the version
        self.claims: dict[int, RemoteFile] = {}
        self.pinned: set[int] = set()
        self.withdrawn: set[int] = set()
        self._others: set[int] = set()  # what nobody has published here: an object in place of a version's folder
        for file in files:
            self._add(file)

    def _add(self, file: RemoteFile) -> None:
        first, _, rest = file.name.partition("/")
        if (number := version_number(first)) is not None and rest:
            self.files[number][rest] = file
        elif number is not None:
            self._others.add(number)
        elif (number := version_number(rest)) is not None and first == CLAIMS:
            self.claims[number] = file
        elif number is not None and first in (PINNED, WITHDRAWN):
            (self.pinned if first == PINNED else self.withdrawn).add(number)

    @property
    def whole(self) -> list[int]:
        """The numbers of all versions, ascending; those that were withdrawn are among them."""
        return sorted(number for number, files in self.files.items() if PROVENANCE in files)

    @property
    def next_number(self) -> int:
        """The number that nobody has yet."""
        return max([0, *self.files, *self.claims, *self.withdrawn, *self._others]) + 1

    @property
    def unfinished(self) -> dict[int, list[RemoteFile]]:
        """The objects of each number that somebody has claimed, or uploaded to, and that is no version."""
        numbers = {*self.files, *self.claims} - {*self.whole}
        return {number: self.objects(number) for number in sorted(numbers)}

    def objects(self, number: int) -> list[RemoteFile]:
        """Returns all objects of a number: its files and the claim."""
        return [*self.files.get(number, {}).values(), *([self.claims[number]] if number in self.claims else [])]

    def has_all(self, number: int, recorded: Mapping[str, Mapping[str, Any]]) -> bool:
        """Returns whether a version has the files that its provenance records, with their sizes."""
        return PROVENANCE in self.files.get(number, {}) and self._has_files(number, recorded)

    def lacks_only_provenance(self, number: int, provenance: bytes) -> bool:
        """Returns whether a number would be a version with this provenance, which somebody has not uploaded yet."""
        recorded = parse_provenance(provenance).get("files")  # the claim of an earlier release has none
        return recorded is not None and number in self.unfinished and self._has_files(number, recorded)

    def _has_files(self, number: int, recorded: Mapping[str, Mapping[str, Any]]) -> bool:
        found = self.files.get(number, {})
        return all(name in found and found[name].size == file.get("bytes") for name, file in recorded.items())
