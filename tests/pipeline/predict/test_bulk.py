"""Bulk prediction on a model of a real run, beside what `python -m pipeline.predict PHOTO` says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from components.artifacts import Examples
from components.component import ComponentError
from pipeline.orchestrator.same_code import code_by_file
from pipeline.predict.__main__ import main
from pipeline.predict.bulk import Job, predict, predict_shard
from pipeline.predict.photo_source import FolderSource, open_source
from pipeline.predict.published import open_published
from pipeline.predict.rows_folder import RowsFolder
from pipeline.predict.served import ServedModel, find_version, load
from tests.components.train.helpers import images_and_labels
from tests.pipeline.predict import photos


@pytest.fixture(scope="module")
def images(sample: Examples) -> np.ndarray:
    """uint8 (1000, 32, 32, 3): the test split, in its order."""
    return images_and_labels(sample, "test")[0]


@pytest.fixture(scope="module")
def model(sample_root: Path) -> ServedModel:
    return load(find_version(sample_root))


@pytest.fixture(scope="module")
def folder(images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of all kinds, files that are none, and names that CSV would have to quote."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "small").mkdir()
    for number in range(600):
        Image.fromarray(images[number]).save(folder / "small" / f"{number:03d}.png", compress_level=1)
    picture = Image.fromarray(images[6])
    photo = photos.landscape(picture)
    photo.save(folder / 'large, "it\'s"\nlarge.jpg', quality=92)
    photos.write_turned_jpeg(photo, folder / "turned.jpg")
    photos.write_heic(photo, folder / "phone.heic")
    picture.save(folder / "a.png")
    (folder / "a.png").rename(folder / "caf\udce9.png")
    (folder / "broken.jpg").write_text("no photo")
    (folder / "empty.jpg").touch()
    (folder / "notes.txt").touch()
    Image.new("1", (20_000, 10_000)).save(folder / "vast.png")
    return folder


def options(sample_root: Path, folder: Path, rows: Path) -> list[str]:
    return [f"--pipeline_root={sample_root}", f"--input={folder}", f"--output={rows}"]


def read(rows: Path) -> dict[str, dict[str, Any]]:
    """The rows by file; each has one."""
    listed = pq.read_table(rows).to_pylist()
    by_file = {row["file"]: row for row in listed}
    assert len(by_file) == len(listed)
    return by_file


@pytest.fixture(scope="module")
def predicted(sample_root: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = tmp_path_factory.mktemp("predicted") / "rows"
    assert main(options(sample_root, folder, rows)) == 0
    return rows


def test_each_photo_has_the_answer_of_the_command_for_single_photos(
    sample_root: Path, folder: Path, predicted: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [path for path in folder.glob("*.*") if path.name != "notes.txt"]
    files += sorted((folder / "small").iterdir())[:40]
    capfd.readouterr()
    main([f"--pipeline_root={sample_root}", "--output=json", *map(str, files)])
    told = json.loads(capfd.readouterr().out)
    rows = read(predicted)
    assert len(rows) == 607
    assert len(files) == 47
    for expected in told["photos"]:
        name = os.fsencode(os.path.relpath(expected["file"], folder)).decode("utf-8", "backslashreplace")
        row = rows[name]
        assert row["version"] == 1
        assert row["error"] == expected.get("error")
        if "error" in expected:
            assert (row["class"], row["probability"], row["confident"], row["next_classes"]) == (None, None, False, [])
            continue
        assert row["class"] == expected["class"]
        assert row["confident"] == (expected["probability"] >= told["confidence"])
        said = [row["probability"], *row["next_probabilities"]]
        assert said == pytest.approx(list(expected["probabilities"].values())[:5], abs=1e-5)
        assert [row["class"], *row["next_classes"]] == list(expected["probabilities"])[:5]
    assert {name for name, row in rows.items() if row["error"]} == {"broken.jpg", "empty.jpg", "vast.png"}
    assert "200000000 pixels" in rows["vast.png"]["error"]


def test_what_is_done_is_not_done_again(
    sample_root: Path, folder: Path, predicted: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in predicted.glob("*.parquet")}
    assert main(options(sample_root, folder, predicted)) == 0
    assert {path.name: path.stat().st_mtime_ns for path in predicted.glob("*.parquet")} == before
    first, last = capfd.readouterr().out.splitlines()
    assert first == "607 photos, 607 of them predicted before"
    assert last.startswith("version 1: 607 photos, 3 of them without a prediction. The rows are in ")
    assert last.endswith("/rows")


def test_rows_that_are_gone_cut_short_or_of_other_photos_are_made_again(
    sample_root: Path, folder: Path, predicted: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows, changed = tmp_path / "rows", tmp_path / "photos"
    shutil.copytree(folder, changed, symlinks=True)
    assert main(options(sample_root, changed, rows)) == 0
    first, *_ = sorted(rows.glob("*.parquet"))
    first.write_bytes(first.read_bytes()[:100])
    assert main(options(sample_root, changed, rows)) == 1  # it says that they were damaged, and removes them
    assert "The rows of 1 of " in capfd.readouterr().err
    (changed / "broken.jpg").unlink()
    Image.new("RGB", (40, 40)).save(changed / "new.png")
    (changed / "vast.png").rename(changed / "zzz.png")
    assert main(options(sample_root, changed, rows)) == 0
    again, before = read(rows), read(predicted)
    assert again.keys() ^ before.keys() == {"broken.jpg", "new.png", "vast.png", "zzz.png"}
    for name in again.keys() & before.keys():
        # A photo may have another place in its batch, which some processors' last digits depend on.
        assert again[name] == {key: pytest.approx(value, abs=1e-5) for key, value in before[name].items()}


def test_a_draft_of_a_killed_worker_is_no_row(folder: Path, tmp_path: Path) -> None:
    rows = RowsFolder(str(tmp_path))
    rows.claim({})
    (tmp_path / ".123.parquet.4567").write_bytes(b"PAR1")
    assert rows.done() == set()


def test_two_workers_at_one_shard_leave_it_once(sample_root: Path, folder: Path, tmp_path: Path) -> None:
    rows = RowsFolder(str(tmp_path / "rows"))
    job = Job(FolderSource(str(folder)), rows, open_published(sample_root, 1), ())
    rows.write_names("1", ["small/000.png", "gone.png"])
    predict_shard("1", job)
    first = (tmp_path / "rows" / "1.parquet").read_bytes()
    (tmp_path / "rows" / "1.parquet").unlink()
    predict_shard("1", job)
    assert (tmp_path / "rows" / "1.parquet").read_bytes() == first
    assert {name: row["error"] for name, row in read(tmp_path / "rows").items()} == {
        "small/000.png": None,
        "gone.png": "No such file or directory",
    }
    rows.remove_names()
    predict_shard("1", job)  # another command has ended by now


def test_a_row_does_not_depend_on_its_neighbors(model: ServedModel, folder: Path) -> None:
    names = [f"small/{number:03d}.png" for number in range(40)]
    source = FolderSource(str(folder))
    together = list(predict(model, source.find(names)))
    assert [next(predict(model, source.find([name]))) for name in names[::13]] == together[::13]


def test_a_version_that_is_withdrawn_meanwhile_is_said(sample_root: Path, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_root / "pushed" / "1", tmp_path / "root" / "pushed" / "3")
    rows = RowsFolder(str(tmp_path / "rows"))
    rows.write_names("1", ["small/000.png"])
    job = Job(FolderSource(str(folder)), rows, open_published(tmp_path / "root", 3), ())
    shutil.rmtree(tmp_path / "root" / "pushed" / "3")
    with pytest.raises(ComponentError, match=r"pushed/3 is gone: it was withdrawn or removed meanwhile"):
        predict_shard("1", job)
    assert not job.version.is_there


def test_photos_that_a_machine_does_not_see_are_no_rows(sample_root: Path, folder: Path, tmp_path: Path) -> None:
    rows = RowsFolder(str(tmp_path / "rows"))
    job = Job(FolderSource(str(tmp_path / "elsewhere")), rows, open_published(sample_root, 1), ())
    rows.write_names("1", ["a.jpg", "b.jpg"])
    with pytest.raises(ComponentError, match=r"None of 2 photos that were listed in .*/elsewhere is to be seen on"):
        predict_shard("1", job)
    assert rows.done() == set()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.jpg").touch()
    predict_shard("1", job)
    assert [row["error"] for row in read(tmp_path / "rows").values()] == ["No such file or directory", "empty file"]


def test_a_worker_with_other_code_predicts_nothing(sample_root: Path, folder: Path, tmp_path: Path) -> None:
    rows, version = RowsFolder(str(tmp_path / "rows")), open_published(sample_root, 1)
    rows.write_names("1", ["small/000.png"])
    same = code_by_file(Job.__module__)
    changed = {"pipeline/predict/row.py": "0"}
    with pytest.raises(ComponentError, match=r"does not begin bulk prediction: 1 file differs \(pipeline/predict/row"):
        predict_shard("1", Job(FolderSource(str(folder)), rows, version, (), {**same, **changed}))
    assert rows.done() == set()
    predict_shard("1", Job(FolderSource(str(folder)), rows, version, (), same))
    assert rows.done() == {"1"}


def test_names_that_another_command_has_removed_are_those_of_rows_that_are_there(
    sample_root: Path, folder: Path, tmp_path: Path
) -> None:
    rows = RowsFolder(str(tmp_path / "rows"))
    job = Job(FolderSource(str(folder)), rows, open_published(sample_root, 1), ())
    with pytest.raises(ComponentError, match=r"_names/1\.json is gone: has something else worked there"):
        predict_shard("1", job)


def test_images_without_a_finite_answer_are_said(model: ServedModel, folder: Path) -> None:
    class Broken(ServedModel):
        def __init__(self) -> None:
            self.__dict__.update(model.__dict__)

        def classify(self, images: np.ndarray) -> np.ndarray:
            return np.full((len(images), 10), np.nan, np.float32)

    (row,) = predict(Broken(), FolderSource(str(folder)).find(["small/000.png"]))
    assert row.error == "the model gives no finite probabilities for it"


def test_a_prepared_dataset_gets_what_its_evaluation_said(model: ServedModel, sample: Examples) -> None:
    source = open_source(str(sample.directory), "pipeline_output")
    rows = list(predict(model, source.find([f"test[{index}:{index + 1}]" for index in range(40)])))
    assert source.has("test[0:1]")
    images, _ = images_and_labels(sample, "test")
    for row, image in zip(rows, images, strict=False):
        assert row.probability == pytest.approx(model.predict(Image.fromarray(image)).probability, abs=1e-5)


def refusal(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    with contextlib.suppress(SystemExit):  # argparse ends the process itself
        assert main(arguments) == 2
    return capfd.readouterr().err


def test_wrong_usage_is_refused_before_anything_is_made(
    sample_root: Path, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows"
    given = options(sample_root, folder, rows)
    (tmp_path / "none").mkdir()
    assert "there are no photos in it" in refusal([*given, f"--input={tmp_path / 'none'}"], capfd)
    assert "there is no such folder" in refusal([*given, f"--input={tmp_path / 'nothing'}"], capfd)
    for empty in ("--input=", "--output="):
        assert "--input and --output must not be empty" in refusal([*given, empty], capfd)
    assert "--input=s3:// names no bucket. Expected s3://BUCKET/FOLDER" in refusal([*given, "--input=s3://"], capfd)
    assert "--output=gs:/// names no bucket" in refusal([*given, "--output=gs:///"], capfd)
    assert "--runner=NoRunner: Beam has no such runner. It has " in refusal([*given, "--runner=NoRunner"], capfd)
    assert "with --input, name a folder for the rows" in refusal(given[:2], capfd)
    assert "with --input, name a folder for the rows" in refusal([*given[:2], "--output=json"], capfd)
    assert "expected text or json; a folder goes with --input" in refusal([given[0], given[2], "a.jpg"], capfd)
    assert "Write Beam's options as --NAME=VALUE" in refusal([*given, "--direct_num_workers", "2"], capfd)
    assert "--direct_num_wrkers: neither" in refusal([*given, "--direct_num_wrkers=2"], capfd)
    assert "unrecognized arguments: --direct_num_workers=2" in refusal(["a.jpg", "--direct_num_workers=2"], capfd)
    assert "give photos, or a place of photos with --input" in refusal([], capfd)
    assert "--output=/proc/none cannot be written: " in refusal([*given, "--output=/proc/none"], capfd)
    assert "--version 7 is not in" in refusal([*given, "--version=7"], capfd)
    assert not rows.exists()
