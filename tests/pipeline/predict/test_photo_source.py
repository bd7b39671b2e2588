from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow_datasets as tfds
from PIL import Image

from components.artifacts import Examples
from components.images.photos import UnreadableError
from components.object_storage import RemoteFolder, configure
from pipeline.errors import UsageError
from pipeline.predict.photo_source import BucketSource, FolderSource, PreparedSource, open_source
from tests.components.train.helpers import images_and_labels
from tests.s3_server import BUCKET, s3_server


def write(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
    return folder


def test_a_folder_is_listed_without_what_lies_beside_photos(tmp_path: Path) -> None:
    write(tmp_path, "b/2.jpg", "b/1", "a.HEIC", "b/1.mov", "notes.txt", ".DS_Store", "@eaDir/a.jpg", "c/._1.jpg")
    source = open_source(str(tmp_path))
    assert isinstance(source, FolderSource)
    assert [photo.name for photo in source.photos()] == ["a.HEIC", "b/1", "b/2.jpg"]
    assert [found.open() for found in source.find(["b/1"])] == [tmp_path / "b" / "1"]


def test_another_size_or_time_is_another_state(tmp_path: Path) -> None:
    write(tmp_path, "1.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    source = open_source(str(tmp_path))
    before = dict(source.photos())
    os.utime(tmp_path / "1.jpg", ns=(1, 1))
    after = dict(source.photos())
    assert before["1.jpg"] != after["1.jpg"] == "1 1"
    assert before["gone.jpg"] == after["gone.jpg"] == ""


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none: there is no such folder. Expected one, or s3://BUCKET/FOLDER."):
        open_source(str(tmp_path / "none"))
    write(tmp_path, "1.jpg")
    with pytest.raises(UsageError, match=r"1.jpg is a file. Expected a folder"):
        open_source(str(tmp_path / "1.jpg"))


def test_a_prepared_dataset_gives_the_images_of_all_its_splits(tiny: Examples) -> None:
    source = open_source(str(tiny.directory))
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
    found = open_source(str(builder.data_dir)).find(["train[1:2]", "train[2:3]"])
    assert [each.file for each in found] == ["cats/1.jpg", "cats/2.jpg"]


@pytest.fixture(scope="module")
def bucket() -> Iterator[RemoteFolder]:
    with pytest.MonkeyPatch.context() as patched, s3_server(0) as server:
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patched.setenv(name, "")  # what `configure` sets is taken back at the end
        configure(server.options)
        yield RemoteFolder(f"s3://{BUCKET}")


def test_photos_in_object_storage_are_read_where_they_are(bucket: RemoteFolder) -> None:
    folder = bucket.folder("photos")
    for name in ("b/2.jpg", "a.png", "notes.txt", "b/.DS_Store"):
        folder.write(name, name.encode())
    source = open_source(f"{folder.url}/")
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


def test_a_prepared_dataset_in_object_storage_is_refused(bucket: RemoteFolder) -> None:
    folder = bucket.folder("prepared")
    folder.write("dataset_info.json", b"{}")
    with pytest.raises(UsageError, match="a prepared dataset is read from a folder only"):
        list(open_source(folder.url).photos())
