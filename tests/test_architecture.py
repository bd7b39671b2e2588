"""Which way imports point, and what must not be imported before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STAGES = ("ingest", "normalize", "train", "evaluate", "push")
HEAVY = {"tensorflow", "tensorflow_datasets", "keras", "apache_beam", "coremltools", "tensorflow_model_analysis"}
KNOW_THE_STAGES = {"pipeline/dag.py", "pipeline/config.py", "pipeline/look.py"}


def modules(package: str) -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""


def stage_of(name: str) -> str | None:
    parts = name.replace("/", ".").split(".")
    return parts[1] if parts[0] == "components" and len(parts) > 1 and parts[1] in STAGES else None


@pytest.mark.parametrize("path", modules("components"), ids=str)
def test_a_component_knows_neither_the_orchestrator_nor_another_component(path: Path) -> None:
    for name in imports(path):
        assert not name.startswith("pipeline"), f"{path} imports {name}"
        assert stage_of(name) in (None, stage_of(str(path))), f"{path} imports {name}"


@pytest.mark.parametrize("path", modules("pipeline"), ids=str)
def test_only_the_graph_and_its_config_know_the_stages(path: Path) -> None:
    stages = {stage for name in imports(path) if (stage := stage_of(name))}
    assert not stages or path.as_posix() in KNOW_THE_STAGES, f"{path} imports {stages}"


@pytest.mark.parametrize(
    "module",
    ["run", "runs", "lineage", "look", "push", "gc"]
    + [f"{package}.__main__" for package in ("report", "predict", "demo", "schedule")],
)
def test_help_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, pipeline.{module}; print(sorted({HEAVY!r} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_every_package_is_installed_by_setup() -> None:
    folders = {path.parent for path in [*modules("components"), *modules("pipeline")]}
    assert all((ROOT / folder / "__init__.py").is_file() for folder in folders)
