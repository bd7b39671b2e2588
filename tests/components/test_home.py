from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components import NO_HOME
from components.component import ComponentError
from components.home import expand_home

REPOSITORY = Path(__file__).parents[2]


def test_a_tilde_is_the_home_folder_and_every_path_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert expand_home("~/photos", "ingest.dataset") == tmp_path / "photos"
    assert expand_home("~", "ingest.dataset") == tmp_path
    assert expand_home("photos", "ingest.dataset") == tmp_path / "photos"
    assert expand_home(tmp_path / "~photos", "ingest.dataset") == tmp_path / "~photos"


@pytest.mark.parametrize("path", ["~", "~/photos", "~no-such-user/photos"])
def test_a_home_that_is_not_known_is_named_with_what_to_set(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", NO_HOME)
    with pytest.raises(ComponentError) as refused:
        expand_home(path, "ingest.data_dir")
    said = str(refused.value)
    assert said.startswith(f"ingest.data_dir: {path} begins with a home folder that is not known: HOME is not set, ")
    assert said.endswith("Set HOME, or set ingest.data_dir to a path that begins with /.")


def test_a_path_without_a_tilde_needs_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", NO_HOME)
    assert expand_home("/photos", "ingest.dataset") == Path("/photos")


def test_a_home_that_is_set_is_left_alone(tmp_path: Path) -> None:
    code = "import os, components; print(os.environ.get('HOME'))"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, env={"HOME": str(tmp_path)}, cwd=REPOSITORY, capture_output=True, text=True)
    assert found.stdout == f"{tmp_path}\n"
