from __future__ import annotations

from pathlib import Path

import pytest

from components.artifacts import Examples
from pipeline.store.packing import pack, unpack

HERE = {"root": Path("/here/root"), "examples.directory": Path("/here/copies/0123/photos")}
THERE = {"root": Path("/there/cache/root"), "examples.directory": Path("/there/photos")}


def test_a_path_below_an_anchor_becomes_that_of_the_other_machine() -> None:
    brought: list[str] = []
    vectors = "embed/key/attempt-one/vectors/a.npz"
    sent = HERE["root"] / vectors, HERE["root"], HERE["examples.directory"] / "b"
    data = pack({"paths": sent, "text": "/here/root"}, HERE)
    arrived = THERE["root"] / vectors, THERE["root"], THERE["examples.directory"] / "b"
    assert unpack(data, THERE.__getitem__, brought.append) == {"paths": arrived, "text": "/here/root"}
    assert brought == [vectors, "."]


def test_the_places_of_an_artifact_go_with_it() -> None:
    examples = Examples(
        folder=HERE["root"] / "ingest/key/attempt-one",
        directory=HERE["examples.directory"],
        dataset="photos/1.0.0",
        content="",
        splits={},
        example_counts={},
        class_names=(),
        image_shape=(None, None, 3),
    )
    data = pack(examples, HERE)
    assert b"/here" not in data
    found = unpack(data, THERE.__getitem__, lambda name: None)
    assert (found.folder, found.directory) == (THERE["root"] / "ingest/key/attempt-one", THERE["examples.directory"])


def test_of_several_anchors_the_first_counts() -> None:
    """An input may lie below the root here, and elsewhere on the other machine."""
    inside = HERE["root"] / "ingest/key/attempt-one"
    brought: list[str] = []
    data = pack(inside / "dataset", {"examples.folder": inside, **HERE})
    there = {"examples.folder": Path("/there/part")}
    assert unpack(data, there.__getitem__, brought.append) == Path("/there/part/dataset")
    assert brought == []


@pytest.mark.parametrize("path", ["/here/rooted/file", "/elsewhere", "relative/file"])
def test_a_path_below_no_anchor_stays_what_it_is(path: str) -> None:
    assert unpack(pack(Path(path), HERE), THERE.__getitem__, lambda name: None) == Path(path)
