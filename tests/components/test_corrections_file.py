"""The file of decisions: what is written is read again, whatever the names are and wherever a line was cut."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.component import ComponentError
from components.corrections_file import Correction, append_corrections, find_file, read_corrections
from components.ingest.photo_tree import printable

HEADER = "file,sha256,decision,label,other,when,why\r\n"
SHA = hashlib.sha256(b"a photo").hexdigest()
NAMES = [
    "cat/1.jpg",
    "a,b.jpg",
    'say "hi".jpg',
    "two\nlines.jpg",
    "cr\rlf\r\n.jpg",
    " space .jpg",
    "白 猫/é.jpg",
    "\\xff.jpg",
]


def fields(path: Path) -> list[tuple[object, ...]]:
    return [each[:-1] for each in read_corrections(path).decisions]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    written = [
        Correction(name, SHA, "same", other=other, why="why, not?")
        for name, other in zip(NAMES, NAMES[::-1], strict=True)
    ]
    for each in written:
        append_corrections(path, [each])
    assert path.read_bytes().startswith(HEADER.encode())
    assert fields(path) == [each[:-1] for each in written]
    assert read_corrections(path).damaged_lines == ()
    assert list(tmp_path.iterdir()) == [path]


def test_there_may_be_none(tmp_path: Path) -> None:
    assert read_corrections(tmp_path / "corrections.csv") == ((), ())
    (tmp_path / "corrections.csv").touch()
    assert read_corrections(tmp_path / "corrections.csv") == ((), ())
    append_corrections(tmp_path / "corrections.csv", [Correction("a", SHA, "keep")])
    assert fields(tmp_path / "corrections.csv") == [("a", SHA, "keep", "", "", "", "")]


@pytest.mark.parametrize("name", NAMES)
def test_a_line_cut_anywhere_spoils_no_other(tmp_path: Path, name: str) -> None:
    path = tmp_path / "corrections.csv"
    append_corrections(path, [Correction("first.jpg", SHA, "keep")])
    whole = len(path.read_bytes())
    append_corrections(path, [Correction(name, SHA, "label", "cat", when="2026-11-27", why="it is")])
    data = path.read_bytes()
    for end in range(whole + 1, len(data) - len("it is\r\n")):
        path.write_bytes(data[:end])
        assert [each[0] for each in fields(path)] == ["first.jpg"]
        assert read_corrections(path).damaged_lines
        append_corrections(path, [Correction('the "next", one.jpg', SHA, "leave_out")])
        append_corrections(path, [Correction("last.jpg", SHA, "leave_out")])
        assert [each[0] for each in fields(path)] == ["first.jpg", 'the "next", one.jpg', "last.jpg"], data[:end]


def test_lines_that_a_program_for_tables_has_saved(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    line = f"cat/1.jpg,{SHA.upper()},label,dog,,,"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER.strip()}\n\n{line}\n".encode())
    assert fields(path) == [("cat/1.jpg", SHA, "label", "dog", "", "", "")]
    assert read_corrections(path).decisions[0].line == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file,label\n", "begins with 'file,label'; expected the header 'file,sha256,decision,label,other,when,why'"),
        (HEADER.replace(",", ";"), "in CSV with commas"),
        (
            f"{HEADER}a,{SHA},delete,,,,\n",
            "line 2: the decision is 'delete'; expected keep, label, leave_out, add, same, ",
        ),
        (f"{HEADER}a,{SHA},label,,,,\n", "line 2: the decision 'label' needs the column label"),
        (f"{HEADER}a,{SHA},add,,,,\n", "line 2: the decision 'add' needs the column label"),
        (f"{HEADER}a,{SHA},keep,,,,\nb,{SHA},same,,,,\n", "line 3: the decision 'same' needs the column other"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "corrections.csv").write_text(text)
    with pytest.raises(ComponentError, match=reason):
        read_corrections(tmp_path / "corrections.csv")


def test_many_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    program = (
        "import sys; from pathlib import Path; from components.corrections_file import *\n"
        "for n in range(50):\n"
        "    append_corrections(Path(sys.argv[1]), [Correction(f'{sys.argv[2]},{n}', 64 * 'a', 'keep')] * 2)"
    )
    command = [sys.executable, "-c", program, str(path)]
    writers = [subprocess.Popen([*command, str(number)], env={**os.environ, "PYTHONPATH": "."}) for number in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    found = read_corrections(path)
    assert found.damaged_lines == ()
    expected = [f"{writer},{number}" for writer in range(3) for number in range(50)]
    assert sorted(each.file for each in found.decisions) == sorted(2 * expected)


def test_a_disk_that_is_full_leaves_no_part_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    append_corrections(path, [Correction("a", SHA, "keep")])
    before = path.read_bytes()
    program = (
        "import resource, signal, sys; from pathlib import Path; from components.corrections_file import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 20}, {len(before) + 20}))\n"
        "append_corrections(Path(sys.argv[1]), [Correction('b', 64 * 'a', 'keep')])"
    )
    command = [sys.executable, "-c", program, str(path)]
    finished = subprocess.run(command, env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True)
    assert "File too large" in finished.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize("raw", [b"caf\xe9.jpg", b"caf\\xe9.jpg", "café.jpg".encode(), b"a\\x41\xff.jpg"])
def test_a_file_is_found_by_its_printable_name(tmp_path: Path, raw: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + raw))
    path.touch()
    assert find_file(tmp_path, printable(os.fsdecode(raw))) == path
