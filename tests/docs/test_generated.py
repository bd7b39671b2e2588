"""The pages that are written from the code: up to date, and complete."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from docs.generate import quick_figures
from docs.generate.__main__ import DOCS, GENERATED, find_stale
from docs.generate.commands import MODULES, write_commands
from pipeline.config import PipelineConfig
from pipeline.errors import ExitCode

REPOSITORY = Path(__file__).parents[2]


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    """The name of each config key, and its description."""
    for name, field in model.model_fields.items():
        yield prefix + name, field.description
        for held in models_in(field.annotation):
            yield from keys(held, f"{prefix}{name}.")


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


@pytest.mark.parametrize("name", GENERATED)
def test_the_file_is_as_the_code_says(name: str) -> None:
    assert name not in find_stale(DOCS), f"docs/{name} is out of date: run `make docs`"


def test_a_stale_and_a_missing_file_are_found(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    for name in GENERATED:
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DOCS / name, docs / name)
    (docs / "reference/config.md").write_text("old")
    (docs / "reference/commands.md").unlink()
    assert {"reference/commands.md", "reference/config.md"} <= set(find_stale(docs))


def test_the_check_names_stale_files_and_writes_nothing(tmp_path: Path) -> None:
    # A copy, since other tests read the real one.
    for package in ("docs", "pipeline", "components"):
        ignored = shutil.ignore_patterns("__pycache__", "datasets", "*.png")
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=ignored)
    shutil.copy(REPOSITORY / "pipeline_config.json", tmp_path)
    page = tmp_path / "docs/reference/config.md"
    page.write_text("old")
    command = [sys.executable, "-m", "docs.generate"]
    checked = subprocess.run([*command, "--check"], cwd=tmp_path, capture_output=True, text=True)
    assert (checked.returncode, page.read_text()) == (1, "old")
    assert "docs/reference/config.md is out of date: run `python -m docs.generate`." in checked.stderr
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert subprocess.run([*command, "--check"], cwd=tmp_path, capture_output=True).returncode == 0


def test_every_config_key_is_described_by_a_sentence() -> None:
    described = dict(keys(PipelineConfig))
    assert {"train.learning_rate", "evaluate.thresholds.recall.each_class.change.min"} <= described.keys()
    assert [key for key, text in described.items() if not text or not text.endswith(".") or text[0].islower()] == []


def test_every_command_has_a_section_with_all_of_its_options_explained() -> None:
    files = [path for path in (REPOSITORY / "pipeline").rglob("*.py") if "def make_parser(" in path.read_text()]
    assert {path.parent.name if path.stem == "__main__" else path.stem for path in files} == {
        name.removeprefix("pipeline.") for name in MODULES
    }
    rows = [line for line in write_commands().splitlines() if line.startswith(("| `-", "| `[", "| `p", "| `P"))]
    assert len(rows) > 50
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_exit_code_is_explained() -> None:
    assert all(f"| {int(code)} | " in write_commands() for code in ExitCode)


def test_the_page_does_not_depend_on_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = write_commands()
    monkeypatch.setenv("COLUMNS", "40")
    assert write_commands() == wide


def test_the_page_of_quick_figures_says_command_machine_and_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"cores": 2, "float32_gflop_per_second": 200.0, "bfloat16_gflop_per_second": 400.0}
    result = {"command": "python -m benchmarks.gate", "date": "2026-11-27", "seconds": 60, "exit_code": 0}
    result |= {"processor_seconds": 90}
    result |= {"machine_before": rates, "machine_after": rates | {"float32_gflop_per_second": 90.0}}
    result |= {"printed": ["models | refused", '{"for": "programs"}']}
    (tmp_path / "gate.json").write_text(json.dumps(result))
    monkeypatch.setattr(quick_figures, "RESULTS", tmp_path)
    page = quick_figures.write_quick_figures()
    assert "## gate\n\n`python -m benchmarks.gate`" in page
    assert "60 s, 90 s of processor time, 2 cores; matrix product before and after: " in page
    assert "before and after: 200 and 90 GFLOP/s in float32, 400 and 400" in page
    assert "models | refused" in page
    assert "for programs" not in page
