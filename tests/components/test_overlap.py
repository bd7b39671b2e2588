from __future__ import annotations

from pathlib import Path

import pytest

from components.artifacts import Examples
from components.overlap import examples_of, saw_test_images
from components.registry.versions import find_model
from tests.components.published import publish


@pytest.mark.parametrize(
    ("splits", "seen"),
    [
        ({"train": "train", "test": "test"}, False),
        ({"train": "train", "test": "test[:10%]"}, False),  # blessed with before, not learned from
        ({"train": "train+test[:1]", "test": "test[1:]"}, True),
        ({"train": "train", "validation": "test[90%:]", "test": "test[:90%]"}, True),
    ],
)
def test_of_the_same_data_the_splits_tell(tiny: Examples, splits: dict[str, str], seen: bool) -> None:
    assert saw_test_images(tiny.model_copy(update={"splits": splits}), tiny) is seen


def test_of_other_data_nothing_is_known(tiny: Examples) -> None:
    other = tiny.model_copy(update={"content": "0" * 64, "splits": {"train": "train+test", "test": "test"}})
    assert not saw_test_images(other, tiny)
    assert not saw_test_images(None, tiny)


def test_what_a_version_was_made_of_is_found_while_it_is_there(tiny: Examples, tmp_path: Path) -> None:
    publish(tmp_path / "pushed", 1, "11", 0.9, examples=tiny.model_copy(update={"content": "of long ago"}))
    version = find_model(tmp_path / "pushed", "11")
    assert version is not None
    found = examples_of(version, tmp_path)
    assert found is not None
    assert found.content == "of long ago"
    (tmp_path / version.examples / "examples.json").unlink()
    assert examples_of(version, tmp_path) is None
