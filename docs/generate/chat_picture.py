"""Makes `docs/demo.png`: the chat on a desktop, in light, and on a phone, in the dark, as Chromium shows it.

    python -m docs.generate.chat_picture --pipeline_root pipeline_output frog.png bird.png

The latest version of the root has to be sure enough of both photos to name what is in them.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PIL import Image

from benchmarks.client_programs.chromium import chromium
from benchmarks.demo import server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

PICTURE = Path(__file__).parents[1] / "demo.png"
HEIGHT, DESKTOP_WIDTH, PHONE_WIDTH, GAP = 700, 900, 380, 24  # pixels
BETWEEN = "#c6cad0"
COLORS = 256
GUESTS = ("Lin", "Mary")
SCROLL = f"message => {{ message.scrollIntoView(); message.parentElement.scrollTop -= {GAP}; }}"


def main() -> None:
    """Lets two people talk, and saves what both see."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline_root", type=Path, default=Path("pipeline_output"), metavar="DIR")
    parser.add_argument("photos", type=Path, nargs=2, help="of Ada, and of Grace")
    options = parser.parse_args()
    with server(options.pipeline_root) as address, chromium() as browser:
        desktop, phone = talk(browser, f"http://{address}/", *options.photos)
    width = DESKTOP_WIDTH + GAP + PHONE_WIDTH
    picture = Image.new("RGB", (width, HEIGHT), BETWEEN)
    picture.paste(desktop, (0, 0))
    picture.paste(phone, (DESKTOP_WIDTH + GAP, 0))
    picture.quantize(COLORS).save(PICTURE, optimize=True)
    print(PICTURE)


def talk(browser: Browser, address: str, photo: Path, other_photo: Path) -> tuple[Image.Image, Image.Image]:
    """Returns what Ada sees on a desktop, and Grace on a phone."""
    ada = _arrive(browser, address, "Ada", DESKTOP_WIDTH, "light")
    grace = _arrive(browser, address, "Grace", PHONE_WIDTH, "dark")
    for guest in GUESTS:
        _arrive(browser, address, guest, DESKTOP_WIDTH, "light")
    _say(ada, "Look who sat on the path this morning.")
    _show(ada, photo)
    ada.locator("figure").last.get_by_text("How sure?").click()
    _say(grace, "Ours was less patient.")
    _show(grace, other_photo)
    ada.locator("li", has_text="Look who sat").evaluate(SCROLL)
    return _seen(ada), _seen(grace)


def _arrive(browser: Browser, address: str, name: str, width: int, scheme: Literal["light", "dark"]) -> Page:
    size: ViewportSize = {"width": width, "height": HEIGHT}
    page = browser.new_page(viewport=size, color_scheme=scheme, locale="en-GB")
    page.goto(address)
    page.get_by_label("You are").fill(name)
    page.get_by_label("You are").press("Enter")
    page.get_by_text("names what it is at least").wait_for()
    return page


def _say(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send", exact=True).click()
    page.locator(".said", has_text=text).wait_for()


def _show(page: Page, photo: Path) -> None:
    before = page.locator("figure").count()
    page.get_by_label("Send photos").set_input_files(photo)
    page.locator("figure").nth(before).wait_for()


def _seen(page: Page) -> Image.Image:
    from playwright.sync_api import expect

    for image in page.locator("img").all():
        expect(image).to_have_js_property("complete", value=True)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


if __name__ == "__main__":
    main()
