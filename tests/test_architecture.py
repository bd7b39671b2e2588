"""Which way imports point, and what must not be imported before it is needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STAGES = ("ingest", "normalize", "embed", "inspect", "train", "evaluate", "push")
HEAVY = {"tensorflow", "tensorflow_datasets", "keras", "apache_beam", "coremltools", "tensorflow_model_analysis"}
FOUNDATION = {"background", "errors", "text"}
BELOW = {  # by room of `pipeline/`, the rooms and modules of it that a module there may import
    "background.py": set(),
    "errors.py": set(),
    "text.py": set(),
    "store": FOUNDATION,
    "config": FOUNDATION,
    "dag.py": {"config"},
    "orchestrator": FOUNDATION | {"store", "config", "dag"},
    "runners": FOUNDATION | {"store", "orchestrator"},
}
KNOW_THE_STAGES = {
    "pipeline/dag.py",
    "pipeline/config/__init__.py",
    "pipeline/look.py",
    "pipeline/predict/least_sure.py",
    "pipeline/predict/photo_source.py",
    "pipeline/review/unlabeled.py",
}


def modules(package: str) -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""


def dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imported_modules(path: Path) -> Iterator[str]:
    """The modules, by their dotted names, that a module imports as it is imported itself."""
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = (
                    ROOT.joinpath(*whole.split(".")).is_dir() or (ROOT / (whole.replace(".", "/") + ".py")).is_file()
                )
                yield whole if is_module else node.module


def strings(path: Path) -> Iterator[str]:
    """The texts in a module's code, but for docstrings."""
    tree = ast.parse((ROOT / path).read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings)
    yield from (node.value for node in constants if isinstance(node.value, str))


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


@pytest.mark.parametrize("path", modules("pipeline"), ids=str)
def test_imports_between_the_rooms_of_the_pipeline_point_down(path: Path) -> None:
    allowed = BELOW.get(path.parts[1])
    rooms = {name.split(".")[1] for name in imports(path) if name.startswith("pipeline.")}
    assert allowed is None or rooms <= allowed | {path.parts[1]}, f"{path} imports {rooms - allowed}"


def test_no_module_is_imported_by_what_it_imports() -> None:
    waiting = {dotted(path): set(imported_modules(path)) for path in [*modules("components"), *modules("pipeline")]}
    while free := {name for name, needed in waiting.items() if not needed & waiting.keys()}:
        waiting = {name: needed for name, needed in waiting.items() if name not in free}
    assert waiting == {}


@pytest.mark.parametrize("path", [*modules("components"), *modules("pipeline")], ids=str)
def test_one_module_alone_spells_the_names_below_pushed(path: Path) -> None:
    spelled = {text for text in strings(path) if re.search(r"assets\.extra|provenance\.json$|model_card\.json$", text)}
    assert not spelled or path.as_posix() == "components/registry/layout.py", spelled


@pytest.mark.parametrize(
    "module",
    ["run", "runs", "lineage", "look", "push", "gc"]
    + [f"{package}.__main__" for package in ("config", "report", "predict", "demo", "review", "schedule")],
)
def test_help_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, pipeline.{module}; print(sorted({HEAVY!r} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_every_package_is_installed_by_setup() -> None:
    folders = {path.parent for path in [*modules("components"), *modules("pipeline")]}
    assert all((ROOT / folder / "__init__.py").is_file() for folder in folders)
