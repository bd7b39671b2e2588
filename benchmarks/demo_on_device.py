"""Measures how long the chat takes from a photo to its caption in Chromium, without the server, part by part.

    make on-device
    python -m benchmarks.demo_on_device --pipeline_root pipeline_output --photos 10

The latest version of the root needs the variant `litert`. The first photo is not counted.
"""

from __future__ import annotations

import argparse
import base64
from pathlib import Path

import numpy as np

from benchmarks.client_programs.chromium import chromium
from benchmarks.demo import photo, server

# Times the parts in the page itself, with the worker's own script; the worker does the same beside the page.
PARTS = """async ({ encoded, photos }) => {
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const file = new File([bytes], "photo.jpg");
  const { classify } = await import("/assets/on_device.js");
  const about = await (await fetch("on-device/model")).json();
  const timed = async (name, action) => {
    const started = performance.now();
    const result = await action();
    (taken[name] ??= []).push(performance.now() - started);
    return result;
  };
  const taken = {};
  for (let index = 0; index <= photos; index++) {
    await timed("from the photo to its probabilities and thumbnail", () => classify(file));
    const bitmap = await timed("decode", () => createImageBitmap(file));
    await timed("crop and resize", () => cropAndResize(bitmap, about));
    bitmap.close();
  }
  return taken;
}"""


def main() -> None:
    """Prints the median and the slowest of each part, in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline_root", type=Path, default=Path("pipeline_output"), metavar="DIR")
    parser.add_argument("--photos", type=int, default=10, help="of 4000 x 3000 pixels, JPEG")
    options = parser.parse_args()
    with server(options.pipeline_root) as address:
        taken = measure(f"http://{address}/", photo(4000, 3000, "JPEG"), options.photos)
    print(f"{options.photos} photos of 12 million pixels, one after another")
    for name, milliseconds in taken.items():
        counted = np.array(milliseconds[1:])
        print(f"{name:<52} {np.median(counted):>6.0f} ms, slowest {counted.max():.0f}")


def measure(address: str, encoded: bytes, photos: int) -> dict[str, list[float]]:
    """Returns the milliseconds of each part for each photo, the first one included."""
    from playwright.sync_api import expect

    with chromium() as browser:
        page = browser.new_page()
        page.goto(address)
        page.get_by_label("on this device").check()
        expect(page.locator("#where-note")).to_contain_text("is on this device.", timeout=60_000)
        page.add_script_tag(url="assets/resize.js")
        given = {"encoded": base64.b64encode(encoded).decode(), "photos": photos}
        return page.evaluate(PARTS, given)


if __name__ == "__main__":
    main()
