"""A folder of images as a user has it, through the whole component."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.artifacts import Examples
from components.component import ComponentError, Workspace
from components.dataset_reader import example_name, read
from components.ingest import Ingest, IngestConfig, Splits
from pipeline.store.folder_digest import digest_folder
from tests.components import scanning
from tests.components.ingest import odd_images
from tests.components.ingest.running import run

THIRDS = Splits(train="train[:50%]", validation="train[50%:75%]", test="train[75%:]")


def write_colours(folder: Path, images_per_class: int, size: tuple[int, int] = (8, 6)) -> Path:
    """Classes `blue` and `red`, width 8 and height 6."""
    for name, colour in {"red": (200, 0, 0), "blue": (0, 0, 200)}.items():
        (folder / name).mkdir(parents=True)
        for index in range(images_per_class):
            Image.new("RGB", size, colour).save(folder / name / f"{index}.png")
    return folder


def ingest(workspace: Workspace, folder: Path, limit: float = 0.05, splits: Splits = THIRDS) -> Examples:
    config = IngestConfig(dataset=str(folder), splits=splits, max_rejected_fraction=limit)
    return run(Ingest(config), workspace)


def test_an_example_is_known_by_its_file(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_colours(tmp_path / "colours", 6)
    examples = ingest(workspace, folder)
    names = [example_name(examples, split, i) for split, count in examples.example_counts.items() for i in range(count)]
    assert sorted(names) == sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.png"))


def test_a_folder_becomes_examples(workspace: Workspace, tmp_path: Path) -> None:
    examples = ingest(workspace, write_colours(tmp_path / "My Colours 2", 20))
    assert examples == Examples.read(workspace.folder)
    assert examples.dataset == "my_colours_2/1.0.0"
    assert examples.class_names == ("blue", "red")
    assert examples.example_counts == {"train": 20, "validation": 10, "test": 10}
    assert examples.image_shape == (6, 8, 3)
    assert examples.rejected_files == 0
    assert not (workspace.folder / "logs" / "rejected.jsonl").exists()
    for split, count in examples.example_counts.items():
        stored = list(read(examples, examples.splits[split]).as_numpy_iterator())
        assert [label for _, label in stored] == [0, 1] * (count // 2)
        for image, label in stored:
            assert (image == ((0, 0, 200), (200, 0, 0))[label]).all()


def test_twice_is_the_same_bytes(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_colours(tmp_path / "colours", 5)
    again = dataclasses.replace(workspace, folder=tmp_path / "again")
    again.folder.mkdir()
    ingest(workspace, folder)
    ingest(again, folder)
    one, other = (
        {file.name: file.read_bytes() for file in place.rglob("*.*")} for place in (workspace.folder, again.folder)
    )
    assert one == other


def test_reads_what_can_be_read_and_lists_the_rest(workspace: Workspace, tmp_path: Path) -> None:
    readable = odd_images.COLOUR | odd_images.FEW_COLOURS | odd_images.GREY | odd_images.WHITE_LEFT
    for label in ("odd", "even"):
        (tmp_path / "odd" / label).mkdir(parents=True)
    for name, write in readable.items():
        write(tmp_path / "odd" / "odd" / name)
    Image.new("RGB", (odd_images.WIDTH, odd_images.HEIGHT)).save(tmp_path / "odd" / "even" / "black.png")
    for name, (write, _) in odd_images.UNREADABLE.items():
        write(tmp_path / "odd" / "odd" / name)
    (tmp_path / "odd" / "even" / ".hidden").touch()

    examples = ingest(workspace, tmp_path / "odd", limit=0.4)

    assert sum(examples.example_counts.values()) == len(readable) + 1
    assert examples.image_shape == (odd_images.HEIGHT, odd_images.WIDTH, 3)
    assert all(len(list(read(examples, slice_))) for slice_ in examples.splits.values())
    rejected = {
        line["file"]: line["reason"]
        for line in map(json.loads, (workspace.folder / "logs" / "rejected.jsonl").read_text().splitlines())
    }
    assert set(rejected) == {"even/.hidden"} | {f"odd/{name}" for name in odd_images.UNREADABLE}
    assert rejected["odd/empty.jpg"] == "empty file"
    assert examples.rejected_files == len(odd_images.UNREADABLE)
    assert examples.left_out_files == {"hidden": 1}


def test_litter_and_rejected_files_do_not_change_what_is_made(workspace: Workspace, tmp_path: Path) -> None:
    for blue, label in enumerate(("a", "b")):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (8, 8), (20 * number, 0, blue)).save(tmp_path / "photos" / label / f"{number}.png")
    ingest(workspace, tmp_path / "photos", limit=0.5)
    before = digest_folder(workspace.folder)
    (tmp_path / "photos" / ".DS_Store").write_bytes(b"litter")
    (tmp_path / "photos" / "a" / "notes.txt").write_bytes(b"no image")
    shutil.rmtree(workspace.folder)
    workspace.folder.mkdir()
    examples = ingest(workspace, tmp_path / "photos", limit=0)
    assert examples.rejected_files == 0
    assert examples.left_out_files == {"made by a system": 1, "notes or data": 1}
    assert examples == Examples.read(workspace.folder)
    assert digest_folder(workspace.folder) == before


def test_fails_beyond_the_fraction_and_names_some(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_colours(tmp_path / "colours", 9)
    for name in ("x", "y"):
        (folder / "red" / f"{name}.jpg").write_text("no image")
    with pytest.raises(ComponentError) as refusal:
        ingest(workspace, folder, limit=0.05)
    assert f"Of 20 files in {folder}, 2 and perhaps more cannot be read" in str(refusal.value)
    assert "ingest.max_rejected_fraction allows 5.0%" in str(refusal.value)
    assert "red/x.jpg (not an image)" in str(refusal.value)
    assert "red/y.jpg (not an image)" in str(refusal.value)


def test_a_class_without_readable_images_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_colours(tmp_path / "colours", 9)
    (folder / "green").mkdir()
    (folder / "green" / "1.jpg").write_text("no image")
    with pytest.raises(ComponentError, match="no image of class 'green' in train can be read"):
        ingest(workspace, folder, limit=0.5)


def test_stores_photos_shrunk_and_always_as_the_same_bytes(workspace: Workspace, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(8):
            pixels = random.integers(0, 256, (60, 80, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.jpg")
    config = IngestConfig(dataset=str(tmp_path / "photos"), splits=THIRDS, shorter_side_pixels=30)
    digests = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        examples = run(Ingest(config), dataclasses.replace(workspace, folder=folder))
        assert examples.image_shape == (30, 40, 3)
        digests.append(digest_folder(folder))
    assert digests[0] == digests[1]


def test_splits_of_the_folder_are_splits_of_the_dataset(workspace: Workspace, tmp_path: Path) -> None:
    write_colours(tmp_path / "data" / "train", 10)
    write_colours(tmp_path / "data" / "test", 3, size=(5, 5))
    examples = ingest(workspace, tmp_path / "data", splits=Splits(train="train", test="test"))
    assert examples.example_counts == {"train": 20, "test": 6}
    assert examples.image_shape == (None, None, 3)


def test_splits_are_checked_before_any_image_is_read(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_colours(tmp_path / "colours", 10)
    with pytest.raises(ComponentError) as refusal:
        ingest(workspace, folder, splits=Splits(train="train", test="test"))
    assert str(refusal.value) == (
        "ingest.splits.test is 'test': Unknown split 'test'. Should be one of ['train']. colours has train "
        '(20 examples); slices such as "train[:80%]", "train[80%:90%]", "train[90%:]" divide it'
    )
    assert not list(workspace.folder.iterdir())


def write_shades(folder: Path, labels: tuple[str, ...], count: int, shade: int = 0) -> Path:
    """Photos that all differ."""
    for blue, label in enumerate(labels):
        (folder / label).mkdir(parents=True)
        for red in range(count):
            Image.new("RGB", (8, 6), (red, shade, blue)).save(folder / label / f"{red}.png")
    return folder


def run_defaults(workspace: Workspace, source: Path) -> Examples:
    """As a config does that names the source alone."""
    return run(Ingest(IngestConfig(dataset=str(source))), workspace)


def stored_files(examples: Examples) -> dict[str, str]:
    """The split of each file."""
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(examples.prepared_directory)
    return {
        example["file"].decode(): split
        for split, slice_ in examples.splits.items()
        for example in tfds.as_numpy(builder.as_dataset(split=slice_, decoders={"image": tfds.decode.SkipDecoding()}))
    }


def test_a_validation_folder_is_the_validation_split(workspace: Workspace, tmp_path: Path) -> None:
    write_shades(tmp_path / "photos" / "Train", ("a", "b"), 20)
    write_shades(tmp_path / "photos" / "val", ("a", "b"), 5, shade=1)
    examples = run_defaults(workspace, tmp_path / "photos")
    assert examples.splits == {"train": "train[:90%]", "validation": "validation", "test": "train[90%:]"}
    assert examples.example_counts == {"train": 36, "validation": 10, "test": 4}
    assert {file.split("/")[0] for file, split in stored_files(examples).items() if split == "validation"} == {"val"}


@pytest.mark.parametrize("name", [".22", "👩\u200d🌾", "白\u3000猫"])
def test_class_names_are_stored_as_they_are(workspace: Workspace, tmp_path: Path, name: str) -> None:
    examples = run_defaults(workspace, write_shades(tmp_path / "photos", (name, "dog"), 10))
    assert set(examples.class_names) == {name, "dog"}
    assert {file.split("/")[0] for file in stored_files(examples)} == {name, "dog"}


def test_copies_never_leak(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "photos", ("a", "b"), 40)
    for number in range(40):
        shutil.copy(folder / "a" / f"{number}.png", folder / "a" / f"copy {number}.png")
    examples = run_defaults(workspace, folder)
    assert examples.splits == {"train": "train", "validation": "validation", "test": "test"}
    assert examples.example_counts == {"train": 96, "validation": 12, "test": 12}
    split_of = stored_files(examples)
    assert all(split_of[f"a/{number}.png"] == split_of[f"a/copy {number}.png"] for number in range(40))


def save_anew(image: Path, copy: Path) -> None:
    """Writes the same pixels in other bytes, as programs do that change what is said of a photo."""
    with Image.open(image) as opened:
        opened.save(copy, compress_level=0)
    assert copy.read_bytes() != image.read_bytes()


def test_copies_that_were_saved_anew_never_leak(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "photos", ("a", "b"), 40)
    for number in range(40):
        save_anew(folder / "a" / f"{number}.png", folder / "a" / f"copy {number}.png")
    split_of = stored_files(run_defaults(workspace, folder))
    assert len(split_of) == 120
    assert all(split_of[f"a/{number}.png"] == split_of[f"a/copy {number}.png"] for number in range(40))


def test_a_picture_saved_anew_under_another_label_is_a_conflict(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "photos", ("a", "b"), 40)
    shutil.copy(folder / "a" / "1.png", folder / "b" / "again.png")
    save_anew(folder / "a" / "0.png", folder / "b" / "anew.png")
    examples = run_defaults(workspace, folder)
    assert examples.left_out_files == {"the same picture under two labels": 4}
    assert not {"a/0.png", "a/1.png", "b/again.png", "b/anew.png"} & set(stored_files(examples))
    listed = (workspace.folder / "logs" / "conflicts.jsonl").read_text().splitlines()
    assert [sorted(json.loads(line)["files"]) for line in listed] == [
        ["a/1.png", "b/again.png"],
        ["a/0.png", "b/anew.png"],
    ]


def test_what_lies_in_a_given_split_as_well_is_never_drawn_for_another(workspace: Workspace, tmp_path: Path) -> None:
    write_shades(tmp_path / "photos" / "val", ("a", "b"), 20)
    folder = write_shades(tmp_path / "photos" / "train", ("a", "b"), 40).parent  # of these, 20 are in val as well
    examples = run_defaults(workspace, folder)
    split_of = stored_files(examples)
    assert examples.example_counts == {"train": 76, "validation": 40, "test": 4}  # a tenth of those that may be drawn
    assert {split_of[f"train/{label}/{number}.png"] for label in "ab" for number in range(20)} == {"train"}


def test_conflicts_are_no_damage(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "photos", ("a", "b"), 40)
    shutil.copy(folder / "a" / "0.png", folder / "b" / "again.png")
    examples = run_defaults(workspace, folder)
    assert examples.rejected_files == 0
    assert examples.left_out_files == {"the same picture under two labels": 2}
    assert sum(examples.example_counts.values()) == 79
    rejected = (workspace.folder / "logs" / "rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["file"] for line in rejected] == ["a/0.png", "b/again.png"]


@pytest.mark.parametrize("with_a_copy", [False, True], ids=["slices", "drawn"])
def test_what_cannot_be_read_changes_nothing(workspace: Workspace, tmp_path: Path, with_a_copy: bool) -> None:
    """Neither the order of the others, nor their splits: whether slices make these or they are drawn."""
    folder = write_shades(tmp_path / "photos", ("a", "b"), 30)
    if with_a_copy:
        shutil.copy(folder / "a" / "0.png", folder / "a" / "copy.png")
    before = run_defaults(workspace, folder)
    again = another(workspace, tmp_path)
    (folder / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    (folder / "b" / "copy of broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken, too")
    (folder / "b" / ".DS_Store").write_bytes(b"litter")
    after = run_defaults(again, folder)
    assert after.rejected_files == 2
    assert after.left_out_files == {"made by a system": 1}
    assert stored_files(after) == stored_files(before)
    assert after.content == before.content
    assert digest_folder(again.folder) == digest_folder(workspace.folder)


def test_a_unit_of_which_one_can_be_read_is_none(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "photos", ("a", "b"), 40)
    lines = [f"{label}/{number}.png,{label}," for label in "ab" for number in range(40)]
    lines[0] += "pair"
    (folder / "labels.csv").write_text("\n".join(["file,label,group", *lines]))
    before = run_defaults(workspace, folder / "labels.csv")
    (folder / "a" / "broken.jpg").write_bytes(b"no image")
    (folder / "labels.csv").write_text("\n".join(["file,label,group", *lines, "a/broken.jpg,a,pair"]))
    again = another(workspace, tmp_path)
    assert run_defaults(again, folder / "labels.csv").splits == before.splits
    assert digest_folder(again.folder) == digest_folder(workspace.folder)


def another(workspace: Workspace, tmp_path: Path) -> Workspace:
    """The workspace of an attempt at other work."""
    for name in ("again", "other scratch"):
        (tmp_path / name).mkdir()
    return dataclasses.replace(workspace, folder=tmp_path / "again", scratch=tmp_path / "other scratch")


def test_drawn_splits_are_drawn_of_what_can_be_read(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "photos", ("a", "b"), 10)
    shutil.copy(folder / "a" / "0.png", folder / "a" / "copy.png")
    before = stored_files(run_defaults(workspace, folder))
    lost = next(file for file, split in before.items() if split == "test")
    (folder / lost).write_bytes(b"no image")
    examples = run_defaults(another(workspace, tmp_path), folder)
    assert examples.rejected_files == 1
    assert set(stored_files(examples)) == set(before) - {lost}
    assert all(examples.example_counts.values())


def test_spans_and_workers_do_not_change_the_bytes(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Beam, with every bundle executed twice, in spans of one core and of many."""
    source = write_shades(tmp_path / "photos", ("a", "b"), 30)
    shutil.copy(source / "a" / "0.png", source / "a" / "copy.png")
    run_defaults(workspace, source)
    expected = digest_folder(workspace.folder)
    monkeypatch.setattr("components.ingest.folder._FILES_A_CORE", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    again = another(workspace, tmp_path)
    component = Ingest(IngestConfig(dataset=str(source)))
    assert len(list(component.list_shards(again))) == 21
    scanning.run(component, again, beam_args=scanning.EVERY_BUNDLE_TWICE)
    assert digest_folder(again.folder) == expected


def test_data_that_is_no_folder_of_photos_has_no_spans(workspace: Workspace, tiny: Examples) -> None:
    component = Ingest(IngestConfig(dataset=str(tiny.prepared_directory), splits=Splits(train="train", test="test")))
    assert list(component.list_shards(workspace)) == []
    assert scanning.run(component, workspace).content == tiny.content
    assert [file.name for file in workspace.folder.iterdir()] == ["examples.json"]


def test_a_manifest_becomes_examples(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "photos", ("x", "y"), 40)
    lines = (f"{part}/{number}.png,{part}s,place {number // 4}" for part in "xy" for number in range(40))
    (folder / "Our Labels.csv").write_text("\r\n".join(["file,label,group", *lines]), encoding="utf-8-sig")
    examples = run_defaults(workspace, folder / "Our Labels.csv")
    assert examples.dataset == "our_labels/1.0.0"
    assert examples.class_names == ("xs", "ys")
    assert sum(examples.example_counts.values()) == 80
    split_of = stored_files(examples)
    for place in range(10):
        assert len({split_of[f"{part}/{4 * place + number}.png"] for part in "xy" for number in range(4)}) == 1


def test_a_manifest_may_name_the_splits(workspace: Workspace, tmp_path: Path) -> None:
    folder = write_shades(tmp_path / "photos", ("x", "y"), 8)
    splits = ("train", "train", "Training", "train", "val", "dev", "test", "eval")
    lines = (f"{part}/{number}.png,{part},{split}" for part in "xy" for number, split in enumerate(splits))
    (folder / "labels.csv").write_text("\n".join(["file,label,split", *lines]))
    examples = run_defaults(workspace, folder / "labels.csv")
    assert examples.example_counts == {"train": 8, "validation": 4, "test": 4}
    assert stored_files(examples)["x/7.png"] == "test"


def test_reports_progress(workspace: Workspace, tmp_path: Path) -> None:
    reports: list[tuple[float, float, str]] = []
    workspace = dataclasses.replace(workspace, report=lambda *report: reports.append(report))
    ingest(workspace, write_colours(tmp_path / "colours", 4))
    stored = [report for report in reports if report[2] == "photos stored"]
    assert stored == [(n, 8, "photos stored") for n in range(1, 9)]


def test_names_each_example_after_its_file(workspace: Workspace, tmp_path: Path) -> None:
    import tensorflow_datasets as tfds

    examples = ingest(workspace, write_colours(tmp_path / "colours", 3))
    stored = tfds.builder_from_directory(examples.prepared_directory).as_dataset(split="train")
    files = [example["file"].decode() for example in tfds.as_numpy(stored)]
    assert sorted(files) == [f"{label}/{index}.png" for label in ("blue", "red") for index in range(3)]
    assert np.array_equal([file.split("/")[0] for file in files], ["blue", "red"] * 3)
