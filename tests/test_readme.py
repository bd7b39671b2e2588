"""The README's commands, typed in its order in a folder with photos in it."""

from __future__ import annotations

import os
import re
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
    said = ""
    for block in blocks():
        if "python -m" in block:
            typed = ["bash", "-ex", "-c", block]
            finished = subprocess.run(typed, cwd=place, env=environment, capture_output=True, text=True)
            assert finished.returncode == 0, finished.stdout + finished.stderr
            said += finished.stdout
    reason = "96 training images are too few to train all layers (600 would do)"
    assert re.search(rf"train +ran .* recipe transfer, .*, recipe reason {re.escape(reason)}\n", said)
    assert f"  train      run        recipe transfer: {reason}; float32: only a head is fitted\n" in said


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 100


def test_what_the_tree_shows_is_there() -> None:
    tree = re.search(r"```\n(pipeline/ .*?)```", README, flags=re.DOTALL)
    assert tree is not None
    folder = Path()
    for line in tree[1].splitlines():
        name = line.split()[0]
        shown = folder / name if line.startswith("  ") else Path(name)
        folder = folder if line.startswith("  ") else Path(name)
        assert (REPOSITORY / shown).exists(), line
