"""Reads and appends to corrections.csv: what people have decided about photos, a line for each decision.

Lines are only ever appended. A line that was cut short, by a power cut or a full disk, spoils no other: reading goes on
at the next one.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from components.component import ComponentError
from components.corrections_place import Place, append, read_bytes

FILE_NAME = "corrections.csv"
ADD = "add"  # the decision that a photo from elsewhere becomes a training image
OF_FILES = ("keep", "label", "leave_out", ADD)  # decisions about one photo: the last one on a photo counts
OF_PAIRS = ("same", "not_same")  # whether two photos, `file` and `other`, belong together: the last one counts
UNDONE = "undone"  # the reason on a line that takes the last decision back
_COLUMNS = ("file", "sha256", "decision", "label", "other", "when", "why")
_END = "\r\n"  # with which CSV is written: a carriage return or a line feed in a name is then quoted
_BOM = b"\xef\xbb\xbf"


class Correction(NamedTuple):
    r"""One decision about a photo. Names of files have \x.. for bytes that are not UTF-8."""

    file: str  # relative to the source's folder; a photo from elsewhere may begin with ../
    sha256: str  # hexadecimal, of the photo's bytes: a photo that has others since is another photo
    decision: str
    label: str = ""  # of `label` and `add`: the name of the right class
    other: str = ""  # of `same` and `not_same`: the other photo
    when: str = ""  # ISO 8601
    why: str = ""  # for people
    line: int = 0  # in the file, from 1

    @property
    def changes_nothing(self) -> bool:
        """Whether it only takes back a decision before which there was none."""
        return self.why == UNDONE and self.decision in ("keep", "not_same")

    @property
    def subject(self) -> tuple[str, ...]:
        """What the decision is about: one photo, or two in either order."""
        return tuple(sorted((self.file, self.other))) if self.decision in OF_PAIRS else (self.file,)


class Corrections(NamedTuple):
    """The decisions in a file, in its order, and the numbers of the lines that cannot be read."""

    decisions: tuple[Correction, ...] = ()
    damaged_lines: tuple[int, ...] = ()


def read_corrections(place: Place) -> Corrections:
    """Returns the decisions of a file; none if it is empty or not there.

    Raises ComponentError, with the number of the line, if the header or a whole line is not as expected.
    """
    lines = read_bytes(place).removeprefix(_BOM).splitlines(keepends=True)
    if not lines:
        return Corrections()
    _check_header(place, lines[0])
    decisions: list[Correction] = []
    damaged: list[int] = []
    for number, fields in _sound_records(lines[1:]) or _records(lines):
        if fields is None or not _is_sound(fields):
            damaged.append(number)
        else:
            decisions.append(_correction(place, number, fields))
    return Corrections(tuple(decisions), tuple(damaged))


def append_corrections(place: Place, corrections: Sequence[Correction]) -> None:
    """Appends the lines and flushes them to the disk; makes the file if it is not there. Any number may do so at once.

    Raises OSError if it cannot be written; then nothing of the lines is in it.
    """
    append(place, _text([_COLUMNS]), _text(each[: len(_COLUMNS)] for each in corrections))


def find_file(folder: Path, name: str) -> Path:
    r"""Returns the path of a file by its name in a correction, in which \x.. may stand for a byte."""
    path = folder / name
    if os.path.lexists(path):
        return path
    raw = re.sub(rb"\\x([89a-f][0-9a-f])", lambda byte: bytes([int(byte[1], 16)]), os.fsencode(name))
    return folder / os.fsdecode(raw)


def _check_header(place: Place, line: bytes) -> None:
    seen = line.decode("utf-8", "replace").strip()
    if [name.strip('" ') for name in seen.split(",")] != list(_COLUMNS):
        raise ComponentError(
            f"{place} begins with {seen[:100]!r}; expected the header {','.join(_COLUMNS)!r}, in CSV with commas"
        )


def _sound_records(lines: list[bytes]) -> list[tuple[int, list[str]]] | None:
    """Returns the same as `_records`, in a twentieth of the time; None if a line is damaged."""
    found = []
    try:
        reader = csv.reader(io.StringIO(b"".join(lines).decode("utf-8"), newline=""), strict=True)
        number = 2
        for fields in reader:
            if fields and not _is_sound(fields):
                return None
            if fields:
                found.append((number, fields))
            number = reader.line_num + 2
    except (UnicodeDecodeError, csv.Error):
        return None
    return found


def _is_sound(fields: list[str]) -> bool:
    return len(fields) == len(_COLUMNS) and re.fullmatch("[0-9a-fA-F]{64}", fields[1]) is not None


def _records(lines: list[bytes]) -> Iterator[tuple[int, list[str] | None]]:
    """Yields the number of the line on which each record begins, and its fields; None if it is no record."""
    start = 1
    while start < len(lines):
        stop = _stop(lines, start)
        fields = _fields(b"".join(lines[start:stop]))
        if fields != []:  # a blank line
            yield start + 1, fields
        start = start + 1 if fields is None else stop


def _stop(lines: list[bytes], start: int) -> int:
    """Returns the index after the record that begins at `start`: where all quotes are closed."""
    quotes = 0
    for index in range(start, len(lines)):
        quotes += lines[index].count(b'"')
        if quotes % 2 == 0:
            return index + 1
    return start + 1


def _fields(record: bytes) -> list[str] | None:
    try:
        rows = list(csv.reader(io.StringIO(record.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    return rows[0] if len(rows) == 1 else None


def _correction(place: Place, number: int, fields: list[str]) -> Correction:
    file, sha256, decision, label, other, when, why = fields
    found = Correction(file, sha256.lower(), decision, label.strip(), other, when, why, number)
    if decision not in (*OF_FILES, *OF_PAIRS):
        raise ComponentError(
            f"{place}, line {number}: the decision is {decision!r}; expected {', '.join((*OF_FILES, *OF_PAIRS))}"
        )
    for column in {"label": ["label"], ADD: ["label"], "same": ["other"], "not_same": ["other"]}.get(decision, []):
        if not getattr(found, column):
            raise ComponentError(f"{place}, line {number}: the decision {decision!r} needs the column {column}")
    return found


def _text(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=_END).writerows(rows)
    return text.getvalue().encode("utf-8")
