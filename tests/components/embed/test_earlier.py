"""What an attempt takes from earlier ones, and what it computes again. Files are damaged by hand."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components import vector_file
from components.artifacts import Embeddings, Examples
from components.component import Workspace
from components.embed import Embed, EmbedConfig, earlier
from components.embed.features import embed_shard
from components.vector_file import ShardVectors
from tests.components import scanning

CONFIG = EmbedConfig(backbone="EfficientNetLite0", image_size_pixels=32, shard_examples=5)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (14, 40, 36, 3), np.uint8)
OLD = [*range(5), *range(6, 12)]  # the images of the first attempt; the next one has three more, one of them inside


def prepared(folder: Path, indices: list[int]) -> Examples:
    return scanning.prepare(folder, ["a", "b"], {"train": [(IMAGES[index], index % 2) for index in indices]})


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return prepared(tmp_path_factory.mktemp("old"), OLD)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return prepared(tmp_path_factory.mktemp("grown"), list(range(14)))


def make_attempt(root: Path, key: str) -> Workspace:
    places = [root / "embed" / key / name for name in ("attempt-one", "scratch")]
    for place in places:
        place.mkdir(parents=True)
    return Workspace(folder=places[0], scratch=places[1], root=root, code_digest="code")


def embed(workspace: Workspace, examples: Examples, config: EmbedConfig = CONFIG) -> Embeddings:
    component = Embed(config)
    results = [embed_shard(shard) for shard in component.list_shards(workspace, examples)]
    made = component.combine(workspace, results, examples)
    assert list(workspace.scratch.iterdir()) == []
    return made


def contents(embeddings: Embeddings) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in embeddings.files("train")}


@pytest.fixture(scope="module")
def root(old: Examples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    assert embed(make_attempt(root, "first"), old).computed_images == len(OLD)
    return root


@pytest.fixture
def first(root: Path, tmp_path: Path) -> Embeddings:
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    return Embeddings.read(tmp_path / "embed" / "first" / "attempt-one")


def test_only_new_images_are_computed_and_the_bytes_are_those_of_an_empty_root(
    first: Embeddings, grown: Examples, tmp_path: Path
) -> None:
    more = embed(make_attempt(tmp_path, "second"), grown)
    anew = embed(make_attempt(tmp_path / "empty", "second"), grown)
    assert (more.computed_images, anew.computed_images) == (3, 14)
    assert contents(more) == contents(anew)


def test_shards_of_another_size_take_all_that_is_there(first: Embeddings, old: Examples, tmp_path: Path) -> None:
    again = embed(make_attempt(tmp_path, "second"), old, CONFIG.model_copy(update={"shard_examples": 4}))
    assert again.computed_images == 0
    for name in ("label", "digest", "center", "mirror"):
        ours, theirs = (
            np.concatenate([np.load(file)[name] for file in embeddings.files("train")]) for embeddings in (first, again)
        )
        np.testing.assert_array_equal(ours, theirs)


def test_a_vector_does_not_depend_on_the_number_of_images_computed_with_it(old: Examples, tmp_path: Path) -> None:
    views = []
    for shard_examples in (1, len(OLD)):
        config = CONFIG.model_copy(update={"image_size_pixels": 64, "shard_examples": shard_examples})
        made = embed(make_attempt(tmp_path / str(shard_examples), "first"), old, config)
        views.append(np.concatenate([vector_file.read(file).views for file in made.files("train")]))
    np.testing.assert_array_equal(*views)


def test_an_attempt_that_was_killed_leaves_its_shards_to_the_next_one(old: Examples, tmp_path: Path) -> None:
    killed = make_attempt(tmp_path, "first")
    embed_shard(next(iter(Embed(CONFIG).list_shards(killed, old))))
    assert embed(make_attempt(tmp_path, "second"), old).computed_images == len(OLD) - 5


@pytest.mark.parametrize("change", [{"code_digest": "other code"}, {"forced": True}], ids=str)
def test_other_code_and_a_forced_run_take_nothing(
    first: Embeddings, old: Examples, tmp_path: Path, change: dict[str, object]
) -> None:
    workspace = dataclasses.replace(make_attempt(tmp_path, "second"), **change)
    assert embed(workspace, old).computed_images == len(OLD)


def test_another_size_of_the_images_takes_nothing(first: Embeddings, old: Examples, tmp_path: Path) -> None:
    larger = CONFIG.model_copy(update={"image_size_pixels": 48})
    assert embed(make_attempt(tmp_path, "second"), old, larger).computed_images == len(OLD)


def test_random_windows_are_taken_where_there_are_enough(first: Embeddings, old: Examples, tmp_path: Path) -> None:
    def computed(key: str, random_windows: int) -> int:
        config = CONFIG.model_copy(update={"random_windows": random_windows})
        return embed(make_attempt(tmp_path, key), old, config).computed_images

    assert [computed("more", 2), computed("fewer", 1), computed("none", 0)] == [len(OLD), 0, 0]
    for key, views in (("fewer", 3), ("none", 2)):
        for file in (tmp_path / "embed" / key / "attempt-one" / "vectors").iterdir():
            ours = vector_file.read(file, with_windows=True).views
            longer = vector_file.read(
                tmp_path / "embed" / "more" / "attempt-one" / "vectors" / file.name, with_windows=True
            )
            np.testing.assert_array_equal(ours, longer.views[:, :views])


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1  # in a vector
    file.write_bytes(data)


def flip_a_bit_of_the_header(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[data.index(b"shape") + 9] ^= 1  # of the first column
    file.write_bytes(data)


DAMAGES: list[Callable[[Path], object]] = [
    flip_a_bit,
    flip_a_bit_of_the_header,
    lambda file: file.write_bytes(file.read_bytes()[:-100]),
    lambda file: file.write_bytes(b""),
    Path.unlink,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=["bit", "header", "cut short", "empty", "gone"])
@pytest.mark.parametrize("late", [False, True], ids=["before the index", "after the index"])
def test_images_of_a_damaged_file_are_computed_again(
    first: Embeddings, old: Examples, tmp_path: Path, damage: Callable[[Path], object], late: bool
) -> None:
    whole, file = contents(first), first.files("train")[1]
    if not late:
        damage(file)
    shards = list(Embed(CONFIG).list_shards(make_attempt(tmp_path, "second"), old))
    if late:
        damage(file)
    results = [embed_shard(shard) for shard in shards]
    assert [result.computed for result in results] == [0, 5, 0]
    assert contents(Embeddings.model_construct(folder=tmp_path / "embed" / "second" / "attempt-one")) == whole


def test_a_file_that_was_replaced_since_gives_no_image_anothers_vectors(tmp_path: Path) -> None:
    attempt = make_attempt(tmp_path, "first").folder
    (attempt / "vectors").mkdir()
    digests = RANDOM.integers(0, 256, (6, 16), np.uint8)
    vectors = ShardVectors(np.zeros(6, np.int64), digests, RANDOM.random((6, 2, 3)).astype(np.float16))
    file = attempt / "vectors" / "train-00000-of-00001.npz"
    earlier.note_method(attempt, "method")
    vector_file.write(file, vectors)
    assert earlier.make_index(tmp_path, "method", tmp_path / "index")
    vector_file.write(file, ShardVectors(*(column[[0, 2, 1]] for column in vectors)))
    views = np.zeros((6, 2, 3), np.float16)
    found = earlier.fill_in(tmp_path, tmp_path / "index", digests, views)
    assert found.tolist() == [True] + [False] * 5
    np.testing.assert_array_equal(views[0], vectors.views[0])
    assert not views[1:].any()


def test_without_an_index_nothing_is_found(tmp_path: Path) -> None:
    assert not earlier.make_index(tmp_path, "method", tmp_path / "index")
    digests, views = np.zeros((2, 16), np.uint8), np.zeros((2, 2, 3), np.float16)
    assert earlier.fill_in(tmp_path, tmp_path / "index", digests, views).tolist() == [False, False]


def test_the_newest_vectors_of_an_image_count(tmp_path: Path) -> None:
    digests = np.arange(16, dtype=np.uint8)[None]
    for value in (1, 2, 3):
        attempt = make_attempt(tmp_path, str(value)).folder
        (attempt / "vectors").mkdir()
        vectors = ShardVectors(np.zeros(1, np.int64), digests, np.full((1, 2, 3), value, np.float16))
        vector_file.write(attempt / "vectors" / "train-00000-of-00001.npz", vectors)
        earlier.note_method(attempt, "method" if value < 3 else "another method")
    assert earlier.make_index(tmp_path, "method", tmp_path / "index")
    views = np.zeros((1, 2, 3), np.float16)
    assert earlier.fill_in(tmp_path, tmp_path / "index", digests, views).all()
    assert (views == 2).all()
