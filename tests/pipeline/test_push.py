from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.push import main
from tests.components.published import publish


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, accuracy in ((1, 0.9), (2, 0.8)):
        publish(tmp_path / "pushed", number, f"model {number}", accuracy)
    return tmp_path


def run(root: Path, *arguments: str) -> int:
    return main([f"--pipeline_root={root}", *arguments])


def test_versions_are_listed_with_what_they_are_to_others(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--pin=1") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["1", "accuracy", "0.9", "model", "1", "best,", "pinned"],
        ["2", "accuracy", "0.8", "model", "2", "latest"],
    ]


def test_the_one_before_is_the_latest_again(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--rollback") == 0
    assert capsys.readouterr().out.splitlines() == [
        "version 1 is the latest again",
        "     1  accuracy 0.9     model 1  latest, best",
        "     2  accuracy 0.8     model 2  withdrawn",
    ]


def test_what_cannot_be_done_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--rollback=5") == 2
    assert "error: There is no version 5 in" in capsys.readouterr().err
    assert run(root / "nowhere", "--list") == 0
    assert "nothing is published in" in capsys.readouterr().out


def test_a_version_that_cannot_be_read_is_listed_with_the_reason(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "pushed" / "1" / "assets.extra" / "model_card.json").unlink()
    (root / "pushed" / "2" / "assets.extra" / "model_card.json").write_text("{")
    assert run(root) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"     1  damaged: .*model_card\.json cannot be read: No such file or directory", first)
    assert re.fullmatch(r"     2  damaged, latest: .*model_card\.json or .* is damaged: JSONDecodeError: .*", second)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (("a", "c"), "its classes differ from version 3's: no longer c; now b"),
        (("a",), "its classes differ from version 3's: now b"),
        (("b", "a"), "its classes differ from version 3's: they are in another order"),
        (("a", "b"), ""),
    ],
)
def test_a_rollback_to_other_classes_says_which(
    root: Path, classes: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(root / "pushed", 3, "model 3", 0.7, class_names=classes)
    assert run(root, "--rollback") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "version 2 is the latest again"
    assert [line for line in lines if "classes" in line] == ([said] if said else [])
