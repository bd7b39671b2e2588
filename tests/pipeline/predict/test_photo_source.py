from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
import tensorflow_datasets as tfds
from PIL import Image

from components.artifacts import Examples
from components.component import ComponentError
from components.images.photos import UnreadableError
from components.object_storage import RemoteFolder
from pipeline.errors import UsageError
from pipeline.predict.photo_source import BucketSource, FolderSource, PreparedSource, open_source
from tests.components.train.helpers import images_and_labels


def write(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
    return folder


def test_a_folder_is_listed_without_what_lies_beside_photos(tmp_path: Path) -> None:
    write(tmp_path, "b/2.jpg", "b/1", "a.HEIC", "b/1.mov", "notes.txt", ".DS_Store", "@eaDir/a.jpg", "c/._1.jpg")
    source = open_source(str(tmp_path), "pipeline_output")
    assert isinstance(source, FolderSource)
    assert [photo.name for photo in source.photos()] == ["a.HEIC", "b/1", "b/2.jpg"]
    assert [found.open() for found in source.find(["b/1"])] == [tmp_path / "b" / "1"]
    assert (source.has("b/1"), source.has("b/3")) == (True, False)


def test_another_size_or_time_is_another_state(tmp_path: Path) -> None:
    write(tmp_path, "1.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    source = open_source(str(tmp_path), "pipeline_output")
    before = dict(source.photos())
    os.utime(tmp_path / "1.jpg", ns=(1, 1))
    after = dict(source.photos())
    assert before["1.jpg"] != after["1.jpg"] == "1 1"
    assert before["gone.jpg"] == after["gone.jpg"] == ""


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none: there is no such folder. Expected one, or s3://BUCKET/FOLDER."):
        open_source(str(tmp_path / "none"), "pipeline_output")
    write(tmp_path, "1.jpg")
    with pytest.raises(UsageError, match=r"1.jpg is a file. Expected a folder"):
        open_source(str(tmp_path / "1.jpg"), "pipeline_output")


def test_a_prepared_dataset_gives_the_images_of_all_its_splits(tiny: Examples) -> None:
    source = open_source(str(tiny.directory), "pipeline_output")
    assert isinstance(source, PreparedSource)
    names = [photo.name for photo in source.photos()]
    assert (len(names), names[0], names[-1]) == (48 + 120, "test[0:1]", "train[119:120]")
    images, _ = images_and_labels(tiny, "test")
    wanted = [*names[40:50], "test[3:4]"]  # into the next split, and back
    found = {each.file: Image.open(each.open()) for each in source.find(wanted)}
    assert list(found) == wanted
    for name, index in (("test[40:41]", 40), ("test[47:48]", 47), ("test[3:4]", 3)):
        assert found[name].tobytes() == images[index].tobytes()


def test_images_of_a_dataset_that_was_made_of_files_have_their_names(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.new("RGB", (4, 4)).save(data, "PNG")
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="named",
        version="1.0.0",
        features=tfds.features.FeaturesDict({"image": tfds.features.Image(), "file": tfds.features.Text()}),
        split_datasets={"train": [(number, {"image": data, "file": f"cats/{number}.jpg"}) for number in range(3)]},
        data_dir=tmp_path,
        disable_shuffling=True,
    )
    found = open_source(str(builder.data_dir), "pipeline_output").find(["train[1:2]", "train[2:3]"])
    assert [each.file for each in found] == ["cats/1.jpg", "cats/2.jpg"]


@pytest.fixture
def bucket(url: str) -> RemoteFolder:
    return RemoteFolder(url)


def test_photos_in_object_storage_are_read_where_they_are(bucket: RemoteFolder) -> None:
    folder = bucket.folder("photos")
    for name in ("b/2.jpg", "a.png", "notes.txt", "b/.DS_Store"):
        folder.write(name, name.encode())
    source = open_source(f"{folder.url}/", "pipeline_output")
    assert isinstance(source, BucketSource)
    listed = list(source.photos())
    assert [photo.name for photo in listed] == ["a.png", "b/2.jpg"]
    assert all(photo.state.startswith(f"{len(photo.name)} ") for photo in listed)
    here, gone = source.find(["b/2.jpg", "gone.jpg"])
    opened = here.open()
    assert isinstance(opened, io.BytesIO)
    assert opened.read() == b"b/2.jpg"
    with pytest.raises(UnreadableError, match="no such object"):
        gone.open()
    assert (source.has("b/2.jpg"), source.has("gone.jpg")) == (True, False)


def test_objects_whose_names_no_file_can_have_are_photos(bucket: RemoteFolder) -> None:
    folder, names = bucket.folder("odd"), ["a", "a/b.jpg", "a//c.jpg", "a/../d.jpg", "e" * 300, "\x01.jpg"]
    for name in names:
        folder.write(name, name.encode())
    source = open_source(folder.url, "pipeline_output")
    listed = [photo.name for photo in source.photos()]
    assert sorted(listed) == sorted(names)
    assert [found.open().read() for found in source.find(listed)] == [name.encode() for name in listed]  # type: ignore[union-attr]


def test_a_prepared_dataset_in_object_storage_is_copied(
    bucket: RemoteFolder, tiny: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tiny.directory is not None
    folder = bucket.folder("prepared/1.0.0")
    folder.upload(tiny.directory, [path.name for path in tiny.directory.iterdir()])
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path / "driver"))
    source = open_source(folder.url, str(tmp_path))
    assert isinstance(source, PreparedSource)
    assert str(tmp_path / "driver") not in str(source)
    listed = list(source.photos())
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path / "worker"))
    assert source.has(listed[0].name)
    (found,) = source.find([listed[0].name])
    images, _ = images_and_labels(tiny, "test")
    assert Image.open(found.open()).tobytes() == images[0].tobytes()
    folder.write("features.json", (tiny.directory / "features.json").read_bytes() + b"\n")
    changed = open_source(folder.url, str(tmp_path))
    assert {photo.state for photo in changed.photos()}.isdisjoint(photo.state for photo in listed)
    monkeypatch.setenv("PIPELINE_CACHE_DIR", str(tmp_path / "late worker"))
    with pytest.raises(ComponentError, match="objects were written after the run had looked at them"):
        list(source.find([listed[0].name]))
