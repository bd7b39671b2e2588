"""The command on a model of a real run, and photos of all kinds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.artifacts import Examples
from pipeline.predict.__main__ import main
from pipeline.predict.served import DEFAULT_CONFIDENCE, MODEL_CARD, LoadingError, ServedModel, find_version, load
from tests.components.train.helpers import images_and_labels
from tests.pipeline.predict import photos


@pytest.fixture(scope="session")
def model(sample_root: Path) -> ServedModel:
    return load(find_version(sample_root))


@pytest.fixture(scope="session")
def images(sample: Examples) -> np.ndarray:
    """uint8 (1000, 32, 32, 3): the test split, in its order."""
    return images_and_labels(sample, "test")[0]


@pytest.fixture
def root(sample_root: Path, tmp_path: Path) -> Path:
    """A root to change things in."""
    shutil.copytree(sample_root / "pushed", tmp_path / "root" / "pushed")
    return tmp_path / "root"


def edit_card(version: Path, **values: Any) -> None:
    file = version / MODEL_CARD
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def evaluated(root: Path) -> np.ndarray:
    """float32 (1000, 10): what the evaluation says of the test split."""
    files = sorted(root.glob("evaluate/*/attempt-*/predictions/*.npz"))
    return np.concatenate([np.load(file)["probabilities"] for file in files])


def test_says_what_the_evaluation_said(sample_root: Path, model: ServedModel, images: np.ndarray) -> None:
    for image, expected in zip(images[:30], evaluated(sample_root), strict=False):
        found = model.predict(Image.fromarray(image)).probabilities
        np.testing.assert_allclose([found[name] for name in model.card.class_names], expected, atol=1e-5)
        assert list(found.values()) == sorted(found.values(), reverse=True)


def test_photos_of_phones(
    sample_root: Path, images: np.ndarray, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    picture = Image.fromarray(images[6])
    photo = photos.landscape(picture)
    picture.save(tmp_path / "small.png")
    photo.save(tmp_path / "large.jpg", quality=92)
    photos.write_turned_jpeg(photo, tmp_path / "turned.jpg")
    photos.write_heic(photo, tmp_path / "phone.heic")
    photos.landscape(picture, "white", width=12_000).save(tmp_path / "panorama.jpg", quality=92)
    (tmp_path / "broken.jpg").write_text("no photo")
    names = ["small.png", "large.jpg", "turned.jpg", "phone.heic", "panorama.jpg", "broken.jpg", "missing.jpg"]
    files = [str(tmp_path / name) for name in names]
    code = main(["--output=json", "--member=Ada", f"--pipeline_root={sample_root}", *files])
    told = json.loads(capfd.readouterr().out)
    assert code == 1
    confidence = load(find_version(sample_root)).card.confidence
    assert (told["version"], told["confidence"], told["confidence_of"]) == (1, confidence, "evaluation")
    assert [photo["file"] for photo in told["photos"]] == files
    # The middle of all of them is the same picture, whatever is beside it and however the phone was held.
    large, *others = [photo["probabilities"] for photo in told["photos"][1:5]]
    for other in others:
        assert other == pytest.approx(large, abs=0.02)
    assert [photo["error"] for photo in told["photos"][5:]] == ["not an image", "No such file or directory"]
    first = told["photos"][0]
    named = f" of a {first['class']}" if first["probability"] >= confidence else ""
    assert first["caption"] == f"Ada uploaded a photo{named}"


def test_a_line_for_each_photo(
    root: Path, images: np.ndarray, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    arguments = [f"--pipeline_root={root}", str(tmp_path / "a.png")]
    for confidence, about, named in (
        (0.0, "a class is named from 0 on, which its evaluation chose for 80% right", True),
        (2.0, "no class is named: its evaluation found no confidence for 80% right", False),
        (None, f"its card states no confidence; a class is named from {DEFAULT_CONFIDENCE} on", None),
    ):
        edit_card(root / "pushed" / "1", confidence=confidence)
        assert main(arguments) == 0
        heading, line = capfd.readouterr().out.splitlines()
        assert heading == f"version 1: {about}"
        assert line.startswith(f"{tmp_path / 'a.png'}  ")
        assert "… uploaded a photo" in line
        assert named in (None, "… uploaded a photo of a" in line)


def test_a_file_name_that_is_no_text(
    sample_root: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    name = f"{tmp_path}/caf\udce9.png"  # so Python reads a byte that is no UTF-8
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(name)
    assert main([f"--pipeline_root={sample_root}", name]) == 0
    assert os.fsencode(name) + b"  " in capfdbinary.readouterr().out
    assert main([f"--pipeline_root={sample_root}", "--output=json", name]) == 0
    out = capfdbinary.readouterr().out
    assert out.isascii()
    assert json.loads(out)["photos"][0]["file"] == name


def test_a_file_name_cannot_steer_the_terminal(
    sample_root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([f"--pipeline_root={sample_root}", f"{tmp_path}/a\x1b[2J\nb.png"]) == 1
    _, line = capfd.readouterr().out.splitlines()
    assert line == f"{tmp_path}/a\\x1b[2J\\nb.png  error: No such file or directory"


def test_ctrl_c_ends_it_in_a_line(sample_root: Path, images: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "pipeline.predict", f"--pipeline_root={sample_root}"]
    process = subprocess.Popen(
        command + [str(tmp_path / "a.png")] * 5000, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("version 1: ")
    process.send_signal(signal.SIGINT)
    assert process.communicate()[1] == "error: stopped by Ctrl-C.\n"
    assert process.returncode == 130


def test_a_ctrl_c_that_python_loses_ends_it_as_well(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Held:
        """An object during whose end Ctrl-C comes: TensorFlow has such objects."""

        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def hold_and_wait(*_: Any) -> Iterator[Any]:
        held = Held()
        del held  # Python ignores what is raised here
        time.sleep(60)
        yield None

    monkeypatch.setattr("pipeline.predict.__main__._answers", hold_and_wait)
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)  # pytest's would warn
    assert main([f"--pipeline_root={root}", str(tmp_path / "a.png")]) == 130
    assert capfd.readouterr().err.endswith("error: stopped by Ctrl-C.\n")


def test_another_version_is_asked_for(root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(root / "pushed" / "1", root / "pushed" / "4")
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    assert main([f"--pipeline_root={root}", "--version=1", str(tmp_path / "a.png")]) == 0
    assert capfd.readouterr().out.startswith("version 1:")
    assert main([f"--pipeline_root={root}", "--version=3", str(tmp_path / "a.png")]) == 2
    assert f"--version 3 is not in {root / 'pushed'}. There: 1, 4." in capfd.readouterr().err


def test_nothing_was_pushed_yet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([f"--pipeline_root={tmp_path}", "a.png"]) == 2
    assert (
        f"No version is in {tmp_path / 'pushed'} yet. Make one with `python -m pipeline.run`" in capfd.readouterr().err
    )


def test_a_card_that_asks_for_another_crop_is_refused(root: Path) -> None:
    edit_card(root / "pushed" / "1", preprocessing={"crop_and_scale": "scaleFit"})
    with pytest.raises(LoadingError, match=r"preprocessing.crop_and_scale: Input should be 'centerCrop'"):
        load(root / "pushed" / "1")


def test_a_card_that_names_too_few_classes_is_refused(root: Path) -> None:
    edit_card(root / "pushed" / "1", class_names=["cat", "dog"])
    with pytest.raises(LoadingError, match="it gives 10 probabilities, its model card names 2 classes"):
        load(root / "pushed" / "1")


def test_a_damaged_version_is_named(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (root / "pushed" / "1" / "saved_model.pb").write_bytes(b"damaged")
    assert main([f"--pipeline_root={root}", "a.png"]) == 1
    assert "pushed/1 cannot be loaded: " in capfd.readouterr().err
    (root / "pushed" / "1" / MODEL_CARD).unlink()
    with pytest.raises(LoadingError, match=r"model_card.json cannot be read: No such file or directory"):
        load(root / "pushed" / "1")


def test_a_photo_at_a_url_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["a.jpg", "s3://team/inbox/x.jpg"])
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith(
        "error: s3://team/inbox/x.jpg is no file of this machine. Fetch it first, or classify many with --input=s3://…"
    )
