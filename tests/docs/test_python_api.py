"""The example of the page about the Python API, executed; and whether the page knows what the module has."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from components.artifacts import Examples
from pipeline import api
from pipeline.config import load_document
from tests.components.train.helpers import images_and_labels
from tests.conftest import QUICK_RUN

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "reference" / "python-api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def place(sample_root: Path, sample: Examples, tmp_path: Path) -> Path:
    """A folder as after a run: its config and its results; beside them two photos."""
    config = load_document(REPOSITORY / "pipeline_config.json", QUICK_RUN)
    (tmp_path / "pipeline_config.json").write_text(json.dumps(config))
    shutil.copytree(sample_root, tmp_path / "pipeline_output")
    images, labels = images_and_labels(sample, "test")
    (tmp_path / "photos").mkdir()
    for name in ("frog", "ship"):
        image = images[list(labels).index(sample.class_names.index(name))]
        Image.fromarray(image).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path


def test_the_example_runs(place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(place)
    (example,) = EXAMPLES
    exec(compile(example, "python-api.md", "exec"), {})
    shown = capfd.readouterr().out
    assert "\nnothing to do\n" in shown
    assert f"\n{place / 'pipeline_output' / 'pushed' / '1'}\n" in shown
    assert "\npush cached {" in shown
    assert re.search(r"^frog\.png \w+ 0\.\d+ Ada uploaded a photo", shown, flags=re.MULTILINE)
    assert re.search(r"^ship\.png \w+ 0\.\d+ Ada uploaded a photo", shown, flags=re.MULTILINE)


def test_the_page_has_every_name_of_the_module() -> None:
    values = {"Classifier", "Classification"}  # what calls return: the page says what they have
    assert [name for name in api.__all__ if name not in PAGE and name not in values] == []
    assert [name for name in api.Classification._fields if f"| `{name}` |" not in PAGE] == []


def test_the_attributes_of_the_page_are_there() -> None:
    table = PAGE.partition("## `RunArtifacts`")[2].partition("## ")[0]
    attributes = re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)
    fields = {field.name for field in dataclasses.fields(api.RunArtifacts)}
    assert len(attributes) == 13
    assert [name for name in attributes if name not in fields and not hasattr(api.RunArtifacts, name)] == []
