"""A model whose file is taken away or swapped under an open page. LiteRT has to be there: `make on-device`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tensorflow as tf
from PIL import Image
from playwright.sync_api import Browser, Route, expect

from tests.pipeline.demo.conftest import Demo, add_litert, serving, wait_for_model
from tests.pipeline.demo.visitor import Visitor, needs_litert

pytestmark = needs_litert


@pytest.fixture(scope="module")
def demo(sample_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    root = tmp_path_factory.mktemp("demo")
    shutil.copytree(sample_root / "pushed" / "1", root / "pushed" / "1")
    add_litert(root / "pushed" / "1")
    with serving(root) as demo:
        assert wait_for_model(demo).status_code == 200
        yield demo


@pytest.fixture
def published(demo: Demo, tmp_path: Path) -> Iterator[Path]:
    """The LiteRT file of version 1, which is as it was when the test ends."""
    file = demo.pushed / "1" / "assets.extra" / "Classifier.tflite"
    shutil.copy(file, tmp_path / "kept")
    yield file
    shutil.copy(tmp_path / "kept", file)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.linear_gradient("L").convert("RGB").resize((64, 48)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def of_three_classes() -> bytes:
    """A LiteRT file for 32 x 32 pixels that tells three classes apart: how red, green and blue an image is."""

    @tf.function(input_signature=[tf.TensorSpec((1, 32, 32, 3), tf.float32)])
    def answer(image: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(tf.reduce_mean(image, axis=(1, 2)))

    return tf.lite.TFLiteConverter.from_concrete_functions([answer.get_concrete_function()]).convert()


def refuse(visitor: Visitor, photo: Path, reason: str) -> None:
    """The page says why it has no model, captions nothing, and sends nothing."""
    visitor.note(reason)
    visitor.page.get_by_label("Send photos").set_input_files(photo)
    expect(visitor.page.get_by_role("alert")).to_contain_text(f"photo.png: {reason}")
    assert visitor.page.locator("figure").count() == 0
    assert visitor.sent == []


def test_a_file_that_goes_while_a_page_asks_for_it(browser: Browser, demo: Demo, published: Path, photo: Path) -> None:
    page = browser.new_page()

    def take_away(route: Route) -> None:
        published.unlink(missing_ok=True)
        route.continue_()

    page.route("**/on-device/models/1", take_away)
    refuse(Visitor(page, demo), photo, "Classifier.tflite is missing in version 1. Push it again.")
    page.close()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (of_three_classes, "The file of version 1 is not the one that was pushed. Push it again."),
        (lambda: b"damaged", "The file of version 1 does not run here"),
    ],
    ids=["another model", "damaged"],
)
def test_a_file_that_was_swapped_names_no_class(
    content: Callable[[], bytes], reason: str, browser: Browser, demo: Demo, published: Path, photo: Path
) -> None:
    page = browser.new_page()
    published.write_bytes(content())
    refuse(Visitor(page, demo), photo, reason)
    page.close()


def test_a_page_keeps_the_model_that_it_has_loaded(browser: Browser, demo: Demo, published: Path, photo: Path) -> None:
    page = browser.new_page()
    visitor = Visitor(page, demo)
    visitor.note("Version 1 is on this device.")
    before = visitor.caption(photo)
    published.write_bytes(of_three_classes())
    assert visitor.caption(photo) == before
    page.close()
