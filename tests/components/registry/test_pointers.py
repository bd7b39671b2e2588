from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.component import ComponentError
from components.registry import pointers
from components.registry.versions import numbers
from tests.components.published import publish


@pytest.fixture
def pushed(tmp_path: Path) -> Path:
    """Three versions; the second is the best."""
    for number, accuracy in ((1, 0.7), (2, 0.9), (3, 0.8)):
        publish(tmp_path, number, f"model {number}", accuracy)
    pointers.update_pointers(tmp_path)
    return tmp_path


def links(pushed: Path) -> tuple[str, str]:
    return os.readlink(pushed / "latest"), os.readlink(pushed / "best")


def test_the_pointers_lead_to_the_newest_and_to_the_best(pushed: Path) -> None:
    assert links(pushed) == ("3", "2")
    assert (pushed / "best" / "assets.extra" / "model_card.json").is_file()


def test_a_roll_back_hides_what_is_newer(pushed: Path) -> None:
    assert pointers.roll_back(pushed) == 2
    assert (numbers(pushed), pointers.withdrawn(pushed)) == ([1, 2], [3])
    assert links(pushed) == ("2", "2")
    assert pointers.roll_back(pushed, 1) == 1
    assert (numbers(pushed), pointers.withdrawn(pushed)) == ([1], [2, 3])
    assert links(pushed) == ("1", "1")


def test_what_was_withdrawn_can_come_back(pushed: Path) -> None:
    pointers.roll_back(pushed, 1)
    assert pointers.roll_back(pushed, 3) == 3
    assert (numbers(pushed), pointers.withdrawn(pushed)) == ([1, 3], [2])
    assert links(pushed) == ("3", "3")


def test_a_version_that_is_not_there_is_refused_with_those_that_are(pushed: Path) -> None:
    pointers.roll_back(pushed)
    with pytest.raises(ComponentError, match=r"There is no version 7 in .*\. There: 1, 2, 3 \(withdrawn\)\."):
        pointers.roll_back(pushed, 7)
    with pytest.raises(ComponentError, match=r"has 0 version\(s\): none to go back to"):
        pointers.roll_back(pushed / "elsewhere")
    with pytest.raises(ComponentError, match=r"There is no version 3"):
        pointers.pin(pushed, 3)
    with pytest.raises(ComponentError, match=r"Version 1 is not pinned\. Pinned: none\."):
        pointers.unpin(pushed, 1)


def test_a_server_sees_no_version_between_the_one_that_goes_and_the_one_that_returns(
    pushed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = []
    rename = Path.rename

    def note(path: Path, target: Path) -> Path:
        moved = rename(path, target)
        seen.append(numbers(pushed))
        return moved

    monkeypatch.setattr(Path, "rename", note)
    pointers.roll_back(pushed, 1)
    assert seen == [[1, 3], [1]]


def test_a_copy_that_followed_the_links_gets_links_again(
    pushed: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("copies") / "pushed"
    shutil.copytree(pushed, copy)
    assert not (copy / "latest").is_symlink()
    assert pointers.roll_back(copy, 1) == 1
    assert links(copy) == ("1", "1")
    assert list(copy.glob(".*-*")) == []


def test_a_push_leaves_no_pointer_that_leads_nowhere(pushed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(pushed, 4, "model 4", 0.95)
    removed: list[Path] = []

    def gone(folder: Path, ignore_errors: bool) -> None:
        removed.append(folder)
        assert (pushed / "best").exists()
        assert (pushed / "latest").exists()

    monkeypatch.setattr("shutil.rmtree", gone)
    pointers.finish_push(pushed, keep=1)
    assert len(removed) == 3
    assert links(pushed) == ("4", "4")


def test_after_a_change_of_classes_the_best_is_among_the_new_ones(pushed: Path) -> None:
    publish(pushed, 4, "44", 0.1, class_names=("a", "b", "c"))
    publish(pushed, 5, "55", 0.05, class_names=("a", "b", "c"))
    pointers.finish_push(pushed, keep=1)
    assert (links(pushed), numbers(pushed)) == (("5", "4"), [4, 5])


def test_old_versions_go_but_not_the_best_and_not_those_that_are_pinned(pushed: Path) -> None:
    publish(pushed, 4, "model 4", 0.6)
    publish(pushed, 5, "model 5", 0.6)
    pointers.pin(pushed, 3)
    assert pointers.prune(pushed, keep=1) == [1, 4]
    assert numbers(pushed) == [2, 3, 5]
    pointers.unpin(pushed, 3)
    assert pointers.prune(pushed, keep=1) == [3]
    assert list(pushed.glob(".staging-*")) == []


POINT_FOREVER = """
import sys
from pathlib import Path
from components.registry import pointers
pushed = Path(sys.argv[1])
print(flush=True)
while True:
    pointers.roll_back(pushed, 1)
    pointers.roll_back(pushed, 3)
"""


def test_a_pointer_is_there_at_every_moment(pushed: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", POINT_FOREVER, str(pushed)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        # Only the link is read: who follows it may find that the version has been withdrawn meanwhile.
        seen = {os.readlink(pushed / "latest") for _ in range(20_000)}
    finally:
        process.kill()
        process.wait()
    assert seen == {"1", "3"}


def test_a_pointer_leads_somewhere_after_every_step(pushed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    led: list[tuple[str, str]] = []

    def followed(step: Callable[..., Any]) -> Callable[..., Any]:
        def take(*places: Path) -> Any:
            done = step(*places)
            assert (pushed / "latest" / "assets.extra").exists()
            assert (pushed / "best" / "assets.extra").exists()
            led.append(links(pushed))
            return done

        return take

    monkeypatch.setattr(Path, "rename", followed(Path.rename))
    monkeypatch.setattr(os, "replace", followed(os.replace))
    for version in (1, 3):
        pointers.roll_back(pushed, version)
    assert (led[0], led[-1]) == (("1", "2"), ("3", "3"))
