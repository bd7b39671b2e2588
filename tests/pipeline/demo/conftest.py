"""A server as a person starts it, over a version that a real run pushed, and pushes while it runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import tensorflow as tf

from components.push.litert import save_litert
from components.push.litert_metadata import LiteRTTexts
from components.registry.staging import publish, staging_folder, write_provenance

REPOSITORY = Path(__file__).parents[3]
CARD = "assets.extra/model_card.json"


@dataclass(frozen=True)
class Demo:
    """A running server, and what it follows."""

    url: str
    root: Path
    process: subprocess.Popen[str]

    @property
    def pushed(self) -> Path:
        return self.root / "pushed"

    def upload(self, body: bytes | Iterator[bytes], member: str = "Ada", **headers: str) -> httpx.Response:
        return httpx.post(f"{self.url}photos", params={"member": member}, content=body, headers=headers, timeout=120)

    def is_up(self) -> bool:
        return self.process.poll() is None and httpx.get(self.url).status_code == 200


@pytest.fixture(scope="module")
def demo(sample_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    root = tmp_path_factory.mktemp("demo")
    shutil.copytree(sample_root / "pushed" / "1", root / "pushed" / "1")
    with serving(root) as demo:
        yield demo


@contextmanager
def serving(root: Path, *options: str) -> Iterator[Demo]:
    """A server that follows a root until the block ends."""
    command = [sys.executable, "-m", "pipeline.demo", "--port=0", f"--pipeline_root={root}", *options]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Demo(process.stdout.readline().split()[0], root, process)
    finally:
        process.terminate()
        assert process.wait(timeout=20) is not None
        process.stdout.close()


def push_again(pushed: Path, prefix: str) -> Path:
    """Publishes version 1 once more, with names of classes that begin with `prefix`."""
    with staging_folder(pushed) as staging:
        shutil.copytree(pushed / "1", staging, dirs_exist_ok=True)
        card = json.loads((staging / CARD).read_text())
        card["class_names"] = [prefix + name for name in card["class_names"]]
        (staging / CARD).write_text(json.dumps(card))
        write_provenance(staging, prefix, {})
        return publish(staging, pushed, prefix)


def add_litert(version: Path) -> None:
    """Adds the LiteRT file to a published version, and to its card."""
    card = json.loads((version / CARD).read_text())
    texts = LiteRTTexts(tuple(card["class_names"]), "A test.", version.name, author="", license="")
    file = version / "assets.extra" / "Classifier.tflite"
    save_litert("litert", tf.saved_model.load(str(version)), texts, file)
    card["files"].append({**card["files"][0], "file": file.name, "variant": "litert"})
    (version / CARD).write_text(json.dumps(card))


def wait_for_model(demo: Demo) -> httpx.Response:
    """What the server says of the model that answers, once one does."""
    for _ in range(600):
        answer = httpx.get(f"{demo.url}on-device/model", timeout=60)
        if "No version" not in answer.text:
            return answer
        time.sleep(0.1)
    raise AssertionError(answer.text)
