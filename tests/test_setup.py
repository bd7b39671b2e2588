"""What Beam ships to its workers, and what pip installs, has all files that the code reads."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def test_the_packages_hold_every_file_of_the_code(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "setup.py", tmp_path)
    for package in ("components", "pipeline"):
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "setup.py", "--quiet", "sdist", "bdist_wheel"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    wanted = {
        path.relative_to(tmp_path).as_posix()
        for package in ("components", "pipeline")
        for path in (tmp_path / package).rglob("*")
        if path.is_file()
    }
    assert any(name.startswith("components/datasets/cifar10_sample/") for name in wanted)
    (source,), (wheel,) = (tmp_path / "dist").glob("*.tar.gz"), (tmp_path / "dist").glob("*.whl")
    with tarfile.open(source) as shipped:
        assert wanted - {name.partition("/")[2] for name in shipped.getnames()} == set()
    with zipfile.ZipFile(wheel) as installed:
        assert wanted - set(installed.namelist()) == set()
