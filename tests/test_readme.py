"""The README's commands, typed in its order in a folder with photos in it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COLOURS = ("red", "green", "blue")


def blocks() -> list[str]:
    """What a reader would copy into a shell."""
    return re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)


def commands(program: str) -> list[list[str]]:
    """Those of the README's shell blocks that begin with `program`, without their comments."""
    words = [shlex.split(line, comments=True) for block in blocks() for line in block.splitlines()]
    return [command for command in words if command and command[0] == program]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an environment, the default config and, below `photos`, noisy images that colour tells apart."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copy(REPOSITORY / "pipeline_config.json", folder)
    (folder / ".venv").symlink_to(sys.prefix)  # as `make run` leaves one
    random = np.random.default_rng(0)
    for label, colour in enumerate(COLOURS):
        (folder / "photos" / colour).mkdir(parents=True)
        for number in range(40):
            image = random.integers(0, 120, (48, 32, 3), dtype=np.uint8)
            image[:, :, label] += 100
            Image.fromarray(image).save(folder / "photos" / colour / f"{number}.png")
    return folder


def test_the_python_commands_work_one_after_another(place: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"}
    for block in blocks():
        if "python -m" in block:
            typed = ["bash", "-ex", "-c", block]
            finished = subprocess.run(typed, cwd=place, env=environment, capture_output=True, text=True)
            assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize("command", commands("make"), ids=" ".join)
def test_the_make_commands_are_there(command: list[str]) -> None:
    finished = subprocess.run([*command, "--dry-run"], cwd=REPOSITORY, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


def test_what_the_readme_points_at_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README) + re.findall(r'src="([^"]+)"', README)
    assert [link for link in links if not (REPOSITORY / link).exists()] == []


def test_what_the_tree_shows_is_there() -> None:
    tree = re.search(r"```\n(pipeline/ .*?)```", README, flags=re.DOTALL)
    assert tree is not None
    folder = Path()
    for line in tree[1].splitlines():
        name = line.split()[0]
        shown = folder / name if line.startswith("  ") else Path(name)
        folder = folder if line.startswith("  ") else Path(name)
        assert (REPOSITORY / shown).exists(), line


def test_every_page_of_the_docs_is_linked() -> None:
    assert [page.name for page in (REPOSITORY / "docs").glob("*.md") if f"](docs/{page.name})" not in README] == []


@pytest.mark.parametrize(
    "page", [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_no_figure_is_still_to_be_filled_in(page: Path) -> None:
    assert re.findall(r"@[A-Z_]+@", page.read_text(encoding="utf-8")) == []
