"""The whole component on a real Beam graph, against the backbone itself."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components import vector_file
from components.artifacts import Embeddings, Examples
from components.backbone.efficientnet_lite import EfficientNetLite
from components.backbone.weights import weights_digest
from components.component import ComponentError
from components.dataset_reader import read_encoded, read_resized
from components.embed import Embed, EmbedConfig
from components.embed.features import Embedded, gather
from tests.components import scanning
from tests.components.train.helpers import images_and_labels, make_workspace

CONFIG = EmbedConfig(backbone="EfficientNetLite0", image_size_pixels=32, shard_examples=5)


def columns(embeddings: Embeddings, split: str, name: str) -> np.ndarray:
    return np.concatenate([np.load(file)[name] for file in embeddings.files(split)])


@pytest.fixture(scope="module")
def embeddings(tiny: Examples, tmp_path_factory: pytest.TempPathFactory) -> Embeddings:
    found: Embeddings = scanning.run(Embed(CONFIG), make_workspace(tmp_path_factory.mktemp("embed")), tiny)
    return found


def test_every_image_has_the_features_of_itself_and_of_its_mirror_image(embeddings: Embeddings, tiny: Examples) -> None:
    network = EfficientNetLite("EfficientNetLite0")
    for split in ("train", "validation"):
        images = np.stack([image for image, _ in read_resized(tiny, tiny.splits[split], 32, 32).as_numpy_iterator()])
        for name, seen in (("center", images), ("mirror", images[:, :, ::-1])):
            expected = network(tf.constant(seen, tf.float32)).numpy()
            np.testing.assert_allclose(columns(embeddings, split, name), expected, atol=0.01)
        np.testing.assert_array_equal(columns(embeddings, split, "label"), images_and_labels(tiny, split)[1])
        stored = [data for data, _ in read_encoded(tiny, tiny.splits[split]).as_numpy_iterator()]
        digests = [hashlib.sha256(data).digest()[:16] for data in stored]
        assert [row.tobytes() for row in columns(embeddings, split, "digest")] == digests


@pytest.mark.parametrize(("images", "size"), [(96, 224), (600, 160)])
def test_without_a_size_the_images_are_as_large_as_the_recipe_for_them_takes_them(
    images: int, size: int, tiny: Examples, tmp_path: Path
) -> None:
    examples = tiny.model_copy(update={"example_counts": {**tiny.example_counts, "train": images}})
    embed = Embed(EmbedConfig(backbone="EfficientNetLite0"))
    shards = list(embed.list_shards(make_workspace(tmp_path), examples))
    assert {shard.image_size_pixels for shard in shards} == {size}


def test_the_test_split_is_looked_at_if_the_config_asks_for_it(
    embeddings: Embeddings, tiny: Examples, tmp_path: Path
) -> None:
    assert embeddings.files("test") == []
    assert embeddings.image_counts == {split: tiny.example_counts[split] for split in ("train", "validation")}
    config = CONFIG.model_copy(update={"test_split": True})
    assert Embed(config).identity() != Embed(CONFIG).identity()
    asked: Embeddings = scanning.run(Embed(config), make_workspace(tmp_path), tiny)
    assert asked.image_counts == tiny.example_counts
    np.testing.assert_array_equal(columns(asked, "test", "label"), images_and_labels(tiny, "test")[1])


def test_random_windows_are_of_training_images_alone(embeddings: Embeddings, tiny: Examples, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"random_windows": 3})
    assert Embed(config).identity() != Embed(CONFIG).identity()
    asked: Embeddings = scanning.run(Embed(config), make_workspace(tmp_path), tiny)
    for split, views in (("train", 5), ("validation", 2)):
        for ours, theirs in zip(asked.files(split), embeddings.files(split), strict=True):
            found = vector_file.read(ours, with_windows=True)
            assert found.views.shape[1] == views
            np.testing.assert_array_equal(found.views[:, :2], vector_file.read(theirs).views)
            np.testing.assert_array_equal(vector_file.read(ours).views, vector_file.read(theirs).views)
    windows = columns(asked, "train", "windows").astype(np.float32)
    assert len(np.unique(windows.reshape(-1, windows.shape[-1]), axis=0)) > 2 * len(windows)


def test_work_done_twice_gives_the_same_bytes(embeddings: Embeddings, tiny: Examples, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    again = scanning.run(Embed(CONFIG), workspace, tiny, beam_args=scanning.EVERY_BUNDLE_TWICE)
    names = [file.name for file in embeddings.files("train")]
    assert [file.name for file in again.files("train")] == names
    for split in ("train", "validation"):
        for ours, theirs in zip(embeddings.files(split), again.files(split), strict=True):
            assert ours.read_bytes() == theirs.read_bytes()
    assert not list((workspace.folder / "vectors").glob(".*"))


def test_a_cached_component_computes_nothing(tmp_path: Path) -> None:
    assert scanning.run_cached(Embed(CONFIG), tmp_path) == 0


def test_how_the_work_is_cut_is_no_part_of_the_identity() -> None:
    assert Embed(CONFIG).identity() == Embed(CONFIG.model_copy(update={"shard_examples": 7})).identity()
    assert Embed(CONFIG).identity() != Embed(CONFIG.model_copy(update={"image_size_pixels": 64})).identity()


def test_the_weights_are_part_of_the_fingerprint() -> None:
    assert Embed(EmbedConfig(backbone="EfficientNetLite0")).fingerprint(Path(), {}) == weights_digest(
        "EfficientNetLite0"
    )


def test_missing_and_broken_vectors_are_refused(tiny: Examples, tmp_path: Path) -> None:
    count = tiny.example_counts
    whole = [Embedded("train", count["train"], 0, 0), Embedded("validation", count["validation"], 0, 0)]
    with pytest.raises(ComponentError, match=r"Vectors were computed for \{'train': \d+\} images; expected"):
        gather(make_workspace(tmp_path), whole[:1], tiny, "EfficientNetLite0", 32, CONFIG.splits)
    broken = [whole[0], Embedded("validation", count["validation"], 2, 0)]
    with pytest.raises(ComponentError, match="The features of 2 images are not finite numbers"):
        gather(make_workspace(tmp_path), broken, tiny, "EfficientNetLite0", 32, CONFIG.splits)


def test_the_component_imports_nothing_heavy() -> None:
    program = "import sys, components.embed; print({'tensorflow', 'numpy', 'apache_beam'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
