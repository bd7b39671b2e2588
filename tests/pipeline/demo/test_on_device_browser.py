"""Captions in a real browser against those of the server. LiteRT's WebAssembly has to be there: `make on-device`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pillow_heif import register_heif_opener
from playwright.sync_api import Browser, Route, expect

from components.artifacts import Examples
from components.nouns import with_article
from pipeline import push
from tests.components.images.icc_profiles import display_p3
from tests.components.train.helpers import images_and_labels
from tests.pipeline.demo.conftest import CARD, Demo, add_litert, push_again, serving, wait_for_model
from tests.pipeline.demo.visitor import PATIENCE_MILLISECONDS, Answer, Visitor, needs_litert

pytestmark = needs_litert
ORIENTATION = 0x0112
BOUND = 0.01  # of probabilities: conversions of colors differ by a level or two of 255


@pytest.fixture(scope="module")
def root(sample_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    shutil.copytree(sample_root / "pushed" / "1", root / "pushed" / "1")
    add_litert(root / "pushed" / "1")
    card = root / "pushed" / "1" / CARD
    card.write_text(json.dumps({**json.loads(card.read_text()), "confidence": 0.5}))  # some are named, and some are not
    return root


@pytest.fixture(scope="module")
def demo(root: Path) -> Iterator[Demo]:
    with serving(root) as demo:
        assert wait_for_model(demo).status_code == 200
        yield demo


@pytest.fixture
def visit(browser: Browser, demo: Demo) -> Iterator[Callable[..., Visitor]]:
    visitors = []

    def visit(**options: Any) -> Visitor:
        visitors.append(Visitor(browser.new_context(**options).new_page(), demo))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.page.context.close()
        assert visitor.elsewhere == []


@pytest.fixture(scope="module")
def scene(sample: Examples) -> Image.Image:
    """A test image as a photo: not square, and with every level between."""
    images, _ = images_and_labels(sample, "test")
    return Image.fromarray(images[0]).resize((480, 360), Image.Resampling.BICUBIC)


def sent(demo: Demo, photo: Path) -> Answer:
    """What the server says of the photo."""
    answer = demo.upload(photo.read_bytes())
    assert answer.status_code == 201, answer.text
    found = answer.json()["photo"]
    return Answer(dict(found["probabilities"]), with_article(found["named"]) if found["named"] else None)


def assert_same(here: Answer, there: Answer) -> None:
    difference = max(abs(here.probabilities[name] - there.probabilities[name]) for name in there.probabilities)
    assert difference <= BOUND, (here, there)
    first, second = sorted(there.probabilities.values(), reverse=True)[:2]
    if first - second > 2 * BOUND:
        assert next(iter(here.probabilities)) == next(iter(there.probabilities))


def stored(scene: Image.Image, folder: Path) -> Iterator[Path]:
    """The scene as people's files hold it."""
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        yield folder / f"turned{orientation}.jpg"
        scene.save(folder / f"turned{orientation}.jpg", quality=92, exif=exif)
    clear = scene.copy()
    clear.putalpha(Image.linear_gradient("L").resize(scene.size))
    files: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "clear.png": (clear, {}),
        "gray.png": (scene.convert("L"), {}),
        "palette.gif": (scene.quantize(64), {}),
        "tall.webp": (scene.rotate(90, expand=True), {"quality": 90}),
        "small.png": (scene.resize((24, 20)), {}),
        "model_size.png": (scene.resize((32, 32)), {}),
        "pixel.png": (scene.resize((1, 1)), {}),
        "narrow.png": (scene.resize((700, 3)), {}),
        "display_p3.jpg": (scene, {"quality": 95, "icc_profile": display_p3()}),
        "photo.avif": (scene, {"quality": 90}),
        "phone.jpg": (scene.resize((4000, 3000), Image.Resampling.BICUBIC), {"quality": 92}),
    }
    for name, (image, options) in files.items():
        image.save(folder / name, **options)
        yield folder / name


def test_answers_are_those_of_the_server_and_no_photo_is_sent(
    visit: Callable[..., Visitor], demo: Demo, scene: Image.Image, tmp_path: Path
) -> None:
    visitor = visit()
    visitor.note("Version 1 is on this device.")
    for photo in [*stored(scene, tmp_path)]:
        assert_same(visitor.caption(photo), sent(demo, photo))
    assert visitor.sent == []
    assert visitor.errors == []
    expect(visitor.page.locator("figure:has(.local)").last).to_contain_text("On this device; nobody else sees it.")


def test_a_class_is_named_as_on_the_server(
    visit: Callable[..., Visitor], demo: Demo, sample: Examples, tmp_path: Path
) -> None:
    visitor = visit()
    visitor.note("Version 1 is on this device.")
    images, _ = images_and_labels(sample, "test")
    named = 0
    for index in range(12):
        photo = tmp_path / f"{index}.png"
        Image.fromarray(images[index]).save(photo)
        here, there = visitor.caption(photo), sent(demo, photo)
        assert_same(here, there)
        assert here.noun == there.noun
        named += here.noun is not None
    assert 0 < named < 12


def test_a_file_that_the_browser_cannot_read_is_sent_only_if_asked(
    visit: Callable[..., Visitor], demo: Demo, scene: Image.Image, tmp_path: Path
) -> None:
    register_heif_opener()
    scene.save(tmp_path / "phone.heic")
    visitor = visit(viewport={"width": 390, "height": 800})
    page = visitor.page
    visitor.note("Version 1 is on this device.")
    before = page.locator("figure").count()
    page.get_by_label("Send photos").set_input_files(tmp_path / "phone.heic")
    expect(page.get_by_role("alert")).to_contain_text("phone.heic: This browser cannot read it.")
    assert page.locator("figure").count() == before
    assert visitor.sent == []
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    scene.save(tmp_path / "turned.webp", exif=exif)
    page.get_by_label("Send photos").set_input_files([tmp_path / "phone.heic", tmp_path / "turned.webp"])
    expect(page.get_by_role("alert")).to_contain_text("turned.webp: This browser does not turn WebP files upright.")
    expect(page.get_by_role("button", name="Send these 2 photos to the server")).to_be_visible()
    page.get_by_label("Send photos").set_input_files(tmp_path / "phone.heic")
    page.get_by_role("button", name="Send it to the server").focus()
    page.keyboard.press("Enter")
    expect(page.locator("figure")).to_have_count(before + 1, timeout=PATIENCE_MILLISECONDS)
    expect(page.get_by_role("alert")).not_to_be_visible()
    assert len(visitor.sent) == 1


def test_a_push_and_a_rollback_reach_an_open_page(
    visit: Callable[..., Visitor], demo: Demo, scene: Image.Image, tmp_path: Path
) -> None:
    scene.save(tmp_path / "scene.png")
    visitor = visit()
    visitor.note("Version 1 is on this device.")
    plain = visitor.caption(tmp_path / "scene.png")
    version = push_again(demo.pushed, "toy ").name
    visitor.note(f"Version {version} is on this device.")
    renamed = visitor.caption(tmp_path / "scene.png")
    assert renamed.probabilities == {f"toy {name}": share for name, share in plain.probabilities.items()}
    (demo.pushed / version / "assets.extra" / "Classifier.tflite").unlink()
    assert push.main([f"--pipeline_root={demo.root}", "--rollback"]) == 0
    visitor.note("Version 1 is on this device.")
    assert visitor.caption(tmp_path / "scene.png") == plain


def test_a_keyboard_switches_and_the_page_remembers(visit: Callable[..., Visitor]) -> None:
    visitor = visit(viewport={"width": 320, "height": 700})
    page = visitor.page
    visitor.note("Version 1 is on this device.")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    page.reload()
    expect(page.get_by_label("on this device")).to_be_checked()
    visitor.note("Version 1 is on this device.")
    page.get_by_label("You are").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_label("on this device")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("group", name="Captions").get_by_label("on the server")).to_be_checked()
    expect(page.locator("#where-note")).to_have_text("")


def test_a_browser_without_simd_says_so_and_sends_nothing(
    browser: Browser, demo: Demo, scene: Image.Image, tmp_path: Path
) -> None:
    def without_simd(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body="WebAssembly.validate = () => false;\n" + answer.text())

    scene.save(tmp_path / "scene.png")
    page = browser.new_page()
    page.route("**/on-device/worker.js", without_simd)
    visitor = Visitor(page, demo)
    visitor.note("This browser has no WebAssembly with SIMD, which LiteRT needs.")
    page.get_by_label("Send photos").set_input_files(tmp_path / "scene.png")
    expect(page.get_by_role("alert")).to_contain_text("scene.png: This browser has no WebAssembly with SIMD")
    assert visitor.sent == []
    page.close()


def test_a_browser_without_storage_forgets_the_choice_and_no_more(
    browser: Browser, demo: Demo, scene: Image.Image, tmp_path: Path
) -> None:
    scene.save(tmp_path / "scene.png")
    page = browser.new_page()
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked'); } })")
    visitor = Visitor(page, demo)
    visitor.note("Version 1 is on this device.")
    assert_same(visitor.caption(tmp_path / "scene.png"), sent(demo, tmp_path / "scene.png"))
    page.reload()
    expect(page.get_by_role("group", name="Captions").get_by_label("on the server")).to_be_checked()
    page.close()


def test_an_open_page_captions_without_the_server(
    browser: Browser, root: Path, scene: Image.Image, tmp_path: Path
) -> None:
    scene.save(tmp_path / "scene.png")
    with serving(root) as demo:
        wait_for_model(demo)
        page = browser.new_page()
        visitor = Visitor(page, demo)
        visitor.note("Version 1 is on this device.")
        before = visitor.caption(tmp_path / "scene.png")
        there = sent(demo, tmp_path / "scene.png")
    expect(page.locator("#model")).to_contain_text("The connection is lost", timeout=PATIENCE_MILLISECONDS)
    page.get_by_label("on the server").check()
    page.get_by_label("on this device").check()
    visitor.note("Version 1 is on this device.")
    assert visitor.caption(tmp_path / "scene.png") == before
    assert_same(before, there)
    page.close()
