from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.artifacts import Examples
from components.component import Workspace
from components.ingest import Ingest, IngestConfig
from components.train import TrainConfig
from components.train.preview import preview
from pipeline import look
from pipeline.errors import ExitCode
from pipeline.orchestrator.cache_key import identify
from pipeline.orchestrator.provenance import build_info
from pipeline.store.local_store import Store
from tests.components.ingest.running import run


@pytest.fixture(scope="module")
def place(tiny: Examples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config, and a root that has the images of it."""
    folder = tmp_path_factory.mktemp("look")
    config = IngestConfig(dataset=str(tiny.prepared_directory))
    store = Store(folder / "root")
    identity = identify(Ingest(config), store.root, {})
    attempt = store.open_attempt(identity)
    examples = run(Ingest(config), Workspace(attempt.folder, attempt.scratch, store.root))
    store.commit(identity, examples, {}, build_info("one", 0.0))
    thresholds = {"thresholds": {"accuracy": {"min": 0.5}}}
    document = {"ingest": config.model_dump(mode="json"), "evaluate": thresholds}
    (folder / "config.json").write_text(json.dumps(document))
    return folder


def look_at(place: Path, *arguments: str) -> int:
    where = ["--config", str(place / "config.json"), "--pipeline_root", str(place / "root")]
    return look.main([*where, "--output", str(place / "look.png"), *arguments])


def test_it_draws_as_many_images_as_it_is_told(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert look_at(place, "--count", "6") == ExitCode.DONE
    assert capfd.readouterr().out == f"{place / 'look.png'}\n"
    with Image.open(place / "look.png") as image:
        assert image.format == "PNG"
        few = image.width * image.height
    assert look_at(place, "--count", "24") == ExitCode.DONE
    with Image.open(place / "look.png") as image:
        assert image.width * image.height >= 3 * few


def test_the_seed_decides_the_picture(place: Path) -> None:
    pictures = []
    for seed in ("0", "0", "1"):
        look_at(place, "--count", "4", "--seed", seed)
        pictures.append((place / "look.png").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_images_that_are_not_there_yet_name_the_command(
    place: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert look_at(place, "--pipeline_root", str(tmp_path), "--set", "train.random_seed=3") == ExitCode.USAGE
    error = capfd.readouterr().err
    assert "Bring them there: python -m pipeline.run --to=ingest --config=" in error
    assert f"--pipeline_root={tmp_path} --set=train.random_seed=3" in error


def test_a_split_that_is_not_there_is_refused(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert look_at(place, "--split", "dev") == ExitCode.USAGE
    assert capfd.readouterr().err == "error: --split dev: tiny/1.0.0 has train, validation, test here.\n"


@pytest.mark.parametrize("arguments", [("--count", "0"), ("--count", "1001"), ("--seed", "-1")])
def test_impossible_numbers_are_refused(place: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as error:
        look_at(place, *arguments)
    assert error.value.code == ExitCode.USAGE


def test_a_folder_that_is_not_there_is_named(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert look_at(place, "--count", "1", "--output", str(place / "no" / "look.png")) == ExitCode.FAILED
    assert capfd.readouterr().err == (
        f"error: FileNotFoundError: [Errno 2] No such file or directory: '{place / 'no' / 'look.png'}'\n"
    )


def test_images_that_cannot_be_read_are_named(
    place: Path, tiny: Examples, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "tiny" / "1.0.0"
    shutil.copytree(tiny.prepared_directory, directory)
    for shard in directory.glob("*.tfrecord*"):
        shard.write_bytes(b"damaged")
    damaged = tiny.model_copy(update={"directory": directory})
    monkeypatch.setattr(look, "_find_examples", lambda *_: damaged)
    assert look_at(place, "--count", "1") == ExitCode.FAILED
    assert re.match(r"error: OSError: the images of tiny/1\.0\.0 cannot be read: \S", capfd.readouterr().err)


@pytest.mark.parametrize("name", ["κουνέλι", "кролик", "أرنب", "frog"])
def test_labels_in_other_scripts_are_drawn(name: str) -> None:
    font, can_draw = look._find_font([name])
    assert can_draw(name)
    assert "DejaVuSans" in str(font.path)
    blank = font.getmask("\uffff")
    assert all(bytes(font.getmask(letter)) != bytes(blank) for letter in name)


def test_a_name_that_no_font_here_can_draw_is_a_number(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", list)
    _, can_draw = look._find_font(["兎", "frog"])
    assert can_draw("frog")
    assert not can_draw("兎")


def test_without_augmentation_nothing_changes(tiny: Examples) -> None:
    seen = preview(TrainConfig(recipe="tutorial"), tiny, "test", count=10, seed=0)
    assert seen.images.shape == (10, 32, 32, 3)
    assert np.array_equal(seen.images, seen.augmented)
    assert [image.mean((0, 1)).argmax() for image in seen.images] == seen.labels.tolist()


def test_the_recipe_that_the_images_choose_is_shown(tiny: Examples) -> None:
    seen = preview(TrainConfig(), tiny, "train", count=2, seed=0)
    assert seen.images.shape == (2, 224, 224, 3)


def test_random_windows_are_shown(tiny: Examples) -> None:
    plain = TrainConfig.model_validate({"recipe": "tutorial"})
    seen = preview(plain.model_copy(update={"random_crop_area_fraction": (0.1, 0.3)}), tiny, "train", count=20, seed=0)
    assert seen.augmented.shape == seen.images.shape
    assert all(not np.array_equal(one, other) for one, other in zip(seen.images, seen.augmented, strict=True))
    # A part of a noisy image, enlarged, is smoother than the image.
    roughness = [np.abs(np.diff(each.astype(float), axis=2)).mean() for each in (seen.images, seen.augmented)]
    assert roughness[1] < 0.8 * roughness[0]


def test_with_augmentation_it_is_still_the_same_image(tiny: Examples) -> None:
    seen = preview(TrainConfig(recipe="small_data"), tiny, "train", count=1000, seed=0)
    assert len(seen.images) == 96
    assert not np.array_equal(seen.images, seen.augmented)
    assert [image.mean((0, 1)).argmax() for image in seen.augmented] == seen.labels.tolist()
