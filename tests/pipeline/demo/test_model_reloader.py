from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.registry.registry import open_registry
from pipeline.demo.model_reloader import ModelReloader, Status
from tests.pipeline.demo.conftest import push_again

PATIENCE_SECONDS = 60


@pytest.fixture
def said() -> list[Status]:
    return []


@pytest.fixture
def reloader(tmp_path: Path, said: list[Status]) -> Iterator[ModelReloader]:
    reloader = ModelReloader(open_registry(tmp_path), said.append)
    reloader.start()
    yield reloader
    reloader.stop()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_follows_what_is_published_and_survives_damage(
    reloader: ModelReloader, said: list[Status], sample_root: Path, tmp_path: Path
) -> None:
    pushed = tmp_path / "pushed"
    assert reloader.first_model(PATIENCE_SECONDS) is None
    until(lambda: bool(said))
    assert said[-1] == Status(None, None, "No model has been pushed yet: photos get no class until one is.")

    shutil.copytree(sample_root / "pushed" / "1", tmp_path / "draft")
    pushed.mkdir()
    (tmp_path / "draft").rename(pushed / "1")
    until(lambda: said[-1].version == 1)
    assert said[-1].note == ""
    first = reloader.model
    assert first is not None

    push_again(pushed, "toy ")
    until(lambda: said[-1].version == 2)
    assert reloader.model is not None
    assert reloader.model.card.class_names[6] == "toy frog"
    assert first.card.class_names[6] == "frog"  # whoever has it keeps it

    (pushed / "3").mkdir()
    until(lambda: said[-1].note.endswith("Push the version again."))
    assert reloader.model.version == said[-1].version == 2

    (pushed / "3").rmdir()
    until(lambda: said[-1] == Status(2, reloader.model.confidence, ""))
    shutil.rmtree(pushed / "2")
    until(lambda: said[-1].version == 1)
    assert reloader.model.card.class_names[6] == "frog"
