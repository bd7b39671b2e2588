"""The whole component on a real Beam graph, on embeddings that need no network."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.changed_images import changed
from components.artifacts import Embeddings, Examples
from components.component import ComponentError, Workspace
from components.findings import Findings
from components.inspect import Inspect, InspectConfig
from tests.components import scanning
from tests.components.inspect.copied_images import make_split, sample_images
from tests.components.train.helpers import make_workspace

CONFIG = InspectConfig(shard_examples=7)


def embed(folder: Path, examples: Examples, images: dict[str, list[np.ndarray]]) -> Embeddings:
    (folder / Embeddings.VECTORS).mkdir(parents=True)
    for split, pictures in images.items():
        vectors, _ = make_split(split, pictures)
        views = {"center": vectors.views[:, 0], "mirror": vectors.views[:, 1]}
        file = folder / Embeddings.VECTORS / f"{split}-00000-of-00001.npz"
        np.savez(file, label=vectors.labels, digest=vectors.digests, **views)
    return Embeddings(
        folder=folder,
        backbone="EfficientNetLite0",
        weights_digest="0" * 64,
        image_size_pixels=32,
        image_counts={split: len(pictures) for split, pictures in images.items()},
    ).write()


@pytest.fixture(scope="module")
def leaky(sample: Examples, tmp_path_factory: pytest.TempPathFactory) -> tuple[Examples, Embeddings]:
    """Twenty images to train on, and a mirrored copy of the fourth among six test images."""
    pictures = sample_images(sample, 40)
    images = {"train": pictures[:20], "validation": pictures[20:25]}
    images["test"] = [*pictures[30:35], changed(pictures[3], "mirrored")]
    folder = tmp_path_factory.mktemp("leaky")
    labelled = {split: [(image, 0) for image in each] for split, each in images.items()}
    examples = scanning.prepare(folder / "prepared", ["cat", "dog"], labelled)
    return examples, embed(folder / "embedded", examples, images)


def run(workspace: Workspace, inputs: tuple[Examples, Embeddings], **config: str) -> Findings:
    found: Findings = scanning.run(Inspect(CONFIG.model_copy(update=config)), workspace, *inputs)
    return found


def test_copies_across_the_splits_are_found_and_warned_of(
    leaky: tuple[Examples, Embeddings], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workspace = make_workspace(tmp_path)
    with caplog.at_level(logging.WARNING):
        findings = run(workspace, leaky)
    (copy,) = findings.read_findings("near_copy")
    assert [(image.split, image.index) for image in copy.images] == [("test", 5), ("train", 3)]
    assert copy.reason == "mirrored; in test and train"
    assert findings.counts["near_copy"] == 1
    assert findings.leaked_images == 1
    assert findings.image_counts == {"train": 20, "validation": 5, "test": 6}
    (sentence,) = findings.warnings
    assert sentence in caplog.text
    assert "1 of 6 test images have a near copy in train or validation (test[5] = train[3])" in sentence
    assert "set inspect.near_copies_across_splits to ignore" in sentence
    assert "warnings" not in json.loads((workspace.folder / "findings.json").read_text())


def test_they_can_be_ignored_or_refused(leaky: tuple[Examples, Embeddings], tmp_path: Path) -> None:
    ignored = run(make_workspace(tmp_path / "ignore"), leaky, near_copies_across_splits="ignore")
    assert ignored.warnings == ()
    assert ignored.leaked_images == 1
    with pytest.raises(Exception, match=r"1 of 6 test images have a near copy"):
        run(make_workspace(tmp_path / "fail"), leaky, near_copies_across_splits="fail")


@pytest.mark.parametrize(
    ("source", "drawn", "action", "advice"),
    [
        ("", (), "warn", "by up to as many. If they are meant,"),
        (
            "/photos",
            (),
            "keep_together",
            "The test split is given, so that no photo moves: `python -m pipeline.review`",
        ),
        ("/photos", ("test",), "warn", "`python -m pipeline.review --keep_together` has the next run keep them in"),
        ("/photos", ("test",), "keep_together", "They are noted as the same when this run ends, and the next run"),
    ],
)
def test_the_warning_says_what_helps(
    leaky: tuple[Examples, Embeddings], tmp_path: Path, source: str, drawn: tuple[str, ...], action: str, advice: str
) -> None:
    examples = leaky[0].model_copy(update={"source": source, "drawn_splits": drawn})
    (sentence,) = run(make_workspace(tmp_path), (examples, leaky[1]), near_copies_across_splits=action).warnings
    assert advice in sentence


def test_work_done_twice_gives_the_same_bytes(leaky: tuple[Examples, Embeddings], tmp_path: Path) -> None:
    once = run(make_workspace(tmp_path / "once"), leaky)
    workspace = make_workspace(tmp_path / "twice")
    twice = scanning.run(Inspect(CONFIG), workspace, *leaky, beam_args=scanning.EVERY_BUNDLE_TWICE)
    assert twice.file.read_bytes() == once.file.read_bytes()


def test_every_split_must_have_been_embedded(leaky: tuple[Examples, Embeddings], tmp_path: Path) -> None:
    examples, embeddings = leaky
    without = embeddings.model_copy(update={"image_counts": {"train": 20, "validation": 5}})
    with pytest.raises(ComponentError, match=r"no vectors of test, and inspect looks at all splits\. Set embed\.test"):
        list(Inspect(CONFIG).list_shards(make_workspace(tmp_path), examples, without))


def test_missed_images_are_refused(leaky: tuple[Examples, Embeddings], tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match=r"\{\} images were scanned and .* embedded; expected \{'train': 20"):
        Inspect(CONFIG).combine(make_workspace(tmp_path), [], *leaky)


def test_a_cached_component_scans_nothing(tmp_path: Path) -> None:
    assert scanning.run_cached(Inspect(CONFIG), tmp_path) == 0


def test_how_the_work_is_cut_is_no_part_of_the_identity() -> None:
    assert Inspect(CONFIG).identity() == Inspect(InspectConfig()).identity()
    assert Inspect(CONFIG).identity() != Inspect(InspectConfig(near_copies_across_splits="fail")).identity()


def test_the_component_imports_nothing_heavy() -> None:
    program = "import sys, components.inspect; print({'tensorflow', 'numpy', 'apache_beam'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
