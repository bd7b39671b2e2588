"""Measures what a review of the labels gains, from "the report says N labels look wrong" to a better published version.

    python -m benchmarks.review --work /tmp/review

The photos are the images of the embedded sample, as files. Of the labels to train on, a tenth is changed at random;
those of the test split stay right. A browser reviews on the page as many findings as labels were changed, the surest
first, and answers as the truth does. Three runs: with the right labels, with the wrong ones, and after the review.
Seconds are those of whole commands; a person takes longer at the page than the browser, which is what `decision` says.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from benchmarks import few_photos
from components.ingest.sources import EMBEDDED, find_prepared

WRONG_FRACTION = 0.1
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SEED = 0
ROW = "{:<16} {:>9} {:>9} {:>9} {:>8} {:>7}"


class Measured(NamedTuple):
    """What a run has published, and how long it took."""

    accuracy: float
    label_issues: int
    corrections: int
    version: Any
    seconds: float


class Photo(NamedTuple):
    """One image of the sample. Its file is named for the truth."""

    split: str
    name: str  # of its class
    number: int
    pixels: Any

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}-{self.number:04d}.png"


def main() -> None:
    """Prints a row for each run, and a line about the review between the last two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="an empty folder for photos and the pipeline root")
    parser.add_argument("--most", type=int, default=1000, help="photos of each class, in each split, at most")
    parser.add_argument("--recipe", default="transfer")
    few_photos.add_settings(parser)
    options = parser.parse_args()
    photos = list(read_sample(options.most))
    root, right, wrong = options.work / "root", options.work / "right", options.work / "wrong"
    changed = write(photos, right, 0) + write(photos, wrong, WRONG_FRACTION)
    print(ROW.format("labels", "accuracy", "findings", "decisions", "version", "seconds"))
    before = show("right", run(right, root, options.recipe, options.settings))
    show(f"{changed} wrong", run(wrong, root, options.recipe, options.settings))
    with serving(root) as url:
        decided, mended, seconds = review(url, changed)
    after = show("reviewed", run(wrong, root, options.recipe, options.settings))
    print(f"{decided} findings decided in {seconds:.1f} s, {seconds / max(1, decided):.2f} s a decision by the browser")
    print(f"{mended} of {changed} wrong labels mended; {after.seconds + seconds:.0f} s from the report to the version")
    print(f"{100 * (after.accuracy - before.accuracy):+.1f} points from the accuracy with the right labels")


def read_sample(most: int) -> Iterator[Photo]:
    """Yields images of the sample, at most so many of each class in each split."""
    directory = find_prepared("cifar10_sample", EMBEDDED)
    assert directory is not None
    builder = tfds.builder_from_directory(directory)
    names = builder.info.features["label"].names
    for split in ("train", "test"):
        counts: Counter[str] = Counter()
        for example in builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator():
            name = names[example["label"]]
            if counts[name] < most:
                yield Photo(split, name, counts[name], example["image"])
                counts[name] += 1


def write(photos: list[Photo], folder: Path, wrong_fraction: float) -> int:
    """Writes `folder`/<split>/<class>/<truth>-<number>.png; returns how many labels to train on are wrong."""
    names, random = sorted({photo.name for photo in photos}), np.random.default_rng(SEED)
    trained = [place for place, photo in enumerate(photos) if photo.split == "train"]
    chosen = {*random.choice(trained, round(wrong_fraction * len(trained)), replace=False).tolist()}
    for place, photo in enumerate(photos):
        step = int(random.integers(1, len(names))) if place in chosen else 0
        label = names[(names.index(photo.name) + step) % len(names)]
        file = folder / photo.split / label / photo.file
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo.pixels).save(file)
    return len(chosen)


def run(photos: Path, root: Path, recipe: str, settings: Sequence[str]) -> Measured:
    """Runs the whole pipeline in a process of its own."""
    run_id = f"{photos.name}-{len(list(root.glob('runs/*')))}"
    seconds, record = few_photos.run(photos, recipe, root, ("inspect={}", *settings), run_id)
    found: dict[str, Any] = {node["component"]: node["summary"] for node in record["nodes"]}
    return Measured(
        accuracy=found["evaluate"]["accuracy"],
        label_issues=found["inspect"]["label_issue"],
        corrections=found["ingest"].get("corrections", 0),
        version=found["push"].get("version"),
        seconds=seconds,
    )


def show(labels: str, measured: Measured) -> Measured:
    """Prints the row of a run."""
    accuracy, seconds = f"{measured.accuracy:.1%}", f"{measured.seconds:.0f}"
    figures = measured.label_issues, measured.corrections, measured.version or "none", seconds
    print(ROW.format(labels, accuracy, *figures), flush=True)
    return measured


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """Serves the review of the newest run, and gives its address."""
    command = [sys.executable, "-m", "pipeline.review", f"--pipeline_root={root}", "--port=0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[0]
    finally:
        process.terminate()
        process.wait()


def review(url: str, most: int) -> tuple[int, int, float]:
    """Decides findings about labels on the page, as the truth does.

    Returns their number, that of the labels that were changed, and the seconds.
    """
    from playwright.sync_api import expect, sync_playwright

    mended = decided = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        page.locator("#kind").select_option("label_issue")
        expect(page.locator("#what b").first).to_have_text("Labels")
        started = time.monotonic()
        while decided < most and page.locator("figure .file").count():
            progress, file = page.locator("#progress").inner_text(), page.locator("figure .file").inner_text()
            label, truth = file.split("/")[-2], file.rpartition("/")[2].partition("-")[0]
            mended += label != truth
            answer(page, "" if label == truth else truth)
            expect(page.locator("#progress")).not_to_have_text(progress)
            decided += 1
        seconds = time.monotonic() - started
        browser.close()
    return decided, mended, seconds


def answer(page: Any, label: str) -> None:
    """Presses the keys that a person would: `k`, or `l` and the name of the class."""
    if not label:
        page.keyboard.press("k")
        return
    page.keyboard.press("l")
    page.keyboard.insert_text(label)
    page.keyboard.press("Enter")


if __name__ == "__main__":
    main()
