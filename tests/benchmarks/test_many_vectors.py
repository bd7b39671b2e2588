from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import many_vectors


def test_all_finders_are_measured_and_find_the_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["many_vectors", "--images=2000", "--classes=4", f"--work={tmp_path}"])
    many_vectors.main()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("2,000 images")
    starts = ("making them", "near copies", "label issues", "odd images")
    assert [line.startswith(start) for line, start in zip(printed[1:], starts, strict=True)] == [True] * 4
    assert printed[2].split()[3] == "20"
    assert list(tmp_path.iterdir()) == []
