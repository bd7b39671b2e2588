"""Classifies photo files in Chromium: in MediaPipe's image classifier, and in the LiteRT.js of the chat.

What a page asks for is answered from the disk, without a server of photos; requests to other hosts are refused and
listed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

HERE = Path(__file__).parent
PACKAGES = Path(__file__).parents[2] / "build" / "mediapipe"  # where `make test-mediapipe` puts them
MEDIAPIPE = "node_modules/@mediapipe/tasks-vision"
SCRIPT = "mediapipe.js"
CLASSIFY = f"async (given) => (await import('/{SCRIPT}')).classify(given)"
ORIGIN = "http://clients.test/"  # no such host is asked
PHOTOS = "clients/"  # below the address of a page
PATIENCE_MILLISECONDS = 600_000  # a page of 13 MB of WebAssembly on a loaded machine
TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Runs the machine's Chromium until the block ends."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, "--disable-sync"])
        yield browser
        browser.close()


class MediaPipePage:
    """A page with MediaPipe's image classifier, on the processor, as its npm package brings it.

    `refused` holds the addresses outside of this machine that the page asked for, in their order.
    """

    def __init__(self, browser: Browser, packages: Path = PACKAGES) -> None:
        """Takes the folder in which npm installed the package."""
        self.refused: list[str] = []
        self._package = packages / MEDIAPIPE
        self._files = {SCRIPT: HERE / SCRIPT}
        self._page = browser.new_context().new_page()
        self._page.set_default_timeout(PATIENCE_MILLISECONDS)
        self._page.route("**/*", self._answer)
        self._page.goto(ORIGIN)

    @property
    def version(self) -> str:
        """The version of the package."""
        return json.loads((self._package / "package.json").read_bytes())["version"]

    def classify(self, model: Path, photos: Sequence[Path], class_names: Sequence[str]) -> NDArray[np.float32]:
        """Classifies photo files with a `.tflite` file.

        Returns:
            probabilities float32 (n, classes), in the order of `class_names`.

        Raises:
            playwright.sync_api.Error: MediaPipe refuses the file. The text holds its reason.
        """
        addresses = _served(self._files, photos)
        self._files[f"{PHOTOS}{model.name}"] = model
        given = {"model": f"{PHOTOS}{model.name}", "photos": addresses}
        return by_class(self._page.evaluate(CLASSIFY, given), class_names)

    def close(self) -> None:
        """Closes the page."""
        self._page.context.close()

    def _answer(self, route: Route) -> None:
        address = route.request.url
        if not address.startswith(ORIGIN):
            self.refused.append(address)
            route.abort()
            return
        name = address.removeprefix(ORIGIN)
        package, _, below = name.partition("/")
        if name == "":
            route.fulfill(body="", content_type="text/html")
        else:
            _fulfill(route, self._package / below if package == "mediapipe" else self._files.get(name))


# The worker of the chat, asked as the chat's page asks it.
CHAT = """async (photos) => {
  const about = await (await fetch("on-device/model")).json();
  if (about.error) throw new Error(about.error);
  const worker = new Worker("on-device/worker.js");
  const ask = (kind, given) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => data.error ? reject(new Error(data.error)) : resolve(data);
    worker.onerror = () => reject(new Error("The worker has failed."));
    worker.postMessage({ id: 0, kind, ...given });
  });
  await ask("load", { about });
  const answers = [];
  for (const photo of photos) {
    const file = await (await fetch(photo)).blob();
    answers.push((await ask("classify", { file })).probabilities);
  }
  worker.terminate();
  return answers;
}"""


def classify_in_chat(browser: Browser, chat: str, photos: Sequence[Path]) -> NDArray[np.float32]:
    """Classifies photo files on the device in the chat at the address `chat`, with the version that it serves.

    Returns probabilities float32 (n, classes), in the order of the model's classes. Raises playwright.sync_api.Error
    if the page refuses; the text holds its reason.
    """
    files: dict[str, Path] = {}
    addresses = _served(files, photos)
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE_MILLISECONDS)
    page.route(f"{chat}{PHOTOS}*", lambda route: _fulfill(route, files.get(route.request.url.removeprefix(chat))))
    page.goto(chat)
    answers = page.evaluate(CHAT, addresses)
    page.context.close()
    return np.array(answers, np.float32)


def by_class(scores: Sequence[dict[str, float]], class_names: Sequence[str]) -> NDArray[np.float32]:
    """Returns scores by name, photo by photo, as float32 (n, classes) in the order of `class_names`.

    Raises KeyError if a class has no score.
    """
    return np.array([[each[name] for name in class_names] for each in scores], np.float32)


def _served(files: dict[str, Path], photos: Sequence[Path]) -> list[str]:
    """Adds photos to the files that are served, and returns their addresses below the page's."""
    addresses = [f"{PHOTOS}{index}{photo.suffix}" for index, photo in enumerate(photos)]
    files.update(zip(addresses, photos, strict=True))
    return addresses


def _fulfill(route: Route, file: Path | None) -> None:
    if file is None or not file.is_file():
        route.fulfill(status=404)
    else:
        route.fulfill(path=file, content_type=TYPES.get(file.suffix, "application/octet-stream"))
