"""`python -m pipeline.look`: draws labeled images of the configured dataset, before and after augmentation."""

from __future__ import annotations

import argparse
import functools
import math
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts import Examples
from pipeline import dag
from pipeline.config import DEFAULT_PATH, PipelineConfig, load_config
from pipeline.errors import ExitCode, UsageError, explain
from pipeline.orchestrator.console import libraries_write_to
from pipeline.orchestrator.plan import Selection, make_plan
from pipeline.store.opening import DEFAULT_ROOT, open_store
from pipeline.text import print_any_text

if TYPE_CHECKING:
    from PIL import ImageFont

    from components.train.preview import Preview

MAX_COUNT = 1000
CELL_IMAGE_PIXELS = 64
LABEL_PIXELS = 20
FONT_PIXELS = 12
GAP_PIXELS = 6


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the picture as a PNG file and prints its path. Returns the exit code."""
    print_any_text()
    options = _parse(arguments)
    try:
        with libraries_write_to(Path(os.devnull), sys.stdout) as terminal:
            _look(options)
            print(options.output, file=terminal)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except OSError as error:
        print(f"error: {explain(error)}", file=sys.stderr)
        return ExitCode.FAILED
    return ExitCode.DONE


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.look",
        description="Draws labeled images of the configured dataset: each image as it is, and beside it the same "
        "image with a random augmentation of training.",
    )
    add = parser.add_argument
    add("--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help=f"the pipeline's config ({DEFAULT_PATH})")
    add("--set", action="append", default=[], metavar="A.B=C", help="changes one config value; may be repeated")
    add("--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root; also s3:// and gs://")
    add("--split", default="train", help="train, validation or test")
    add("--count", type=int, default=64, metavar="N", help=f"how many images, at most {MAX_COUNT}")
    add("--seed", type=int, default=0, help="the seed of the augmentation; the same seed draws the same picture")
    add("--output", type=Path, default=Path("look.png"), metavar="FILE", help="a PNG file (look.png)")
    return parser


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not 1 <= options.count <= MAX_COUNT:
        parser.error(f"--count {options.count}: expected 1 to {MAX_COUNT}")
    if options.seed < 0:
        parser.error(f"--seed {options.seed}: expected 0 or more")
    return options


def _look(options: argparse.Namespace) -> None:
    config = load_config(options.config, options.set)
    examples = _find_examples(config, options)
    if not examples.example_counts.get(options.split):
        raise UsageError(f"--split {options.split}: {examples.dataset} has {', '.join(examples.splits)} here.")
    from tensorflow import errors

    from components.train.preview import preview

    try:
        seen = preview(config.train, examples, options.split, options.count, options.seed)
    except errors.OpError as error:
        raise OSError(f"the images of {examples.dataset} cannot be read: {error.message}") from error
    _draw(seen, examples.class_names, options.output)


def _find_examples(config: PipelineConfig, options: argparse.Namespace) -> Examples:
    """The artifact that a run with this config would use."""
    nodes = tuple(component.name for component in dag.COMPONENTS)
    store = open_store(options.pipeline_root)
    store.fetch_shared(None)
    plan = make_plan(functools.partial(dag.build, config=config), store, Selection(nodes))
    step = next(step for step in plan.steps if step.component.artifact is Examples)
    if step.manifest is None or not store.has_places(step.manifest):
        given = [f"--config={options.config}"] if options.config != DEFAULT_PATH else []
        given += [f"--pipeline_root={options.pipeline_root}"] if options.pipeline_root != str(DEFAULT_ROOT) else []
        given += [f"--set={setting}" for setting in options.set]
        command = shlex.join(["python", "-m", "pipeline.run", "--to=ingest", *given])
        raise UsageError(
            f"The images of {config.ingest.dataset} are not in {options.pipeline_root} yet. Bring them there: {command}"
        )
    return store.load(step.manifest, step.component.artifact)  # type: ignore[return-value]


def _draw(seen: Preview, class_names: Sequence[str], path: Path) -> None:
    """Draws a sheet, about as high as wide. Each cell has a label, the image as it is, and the image augmented."""
    from PIL import Image, ImageDraw

    height, width = seen.images.shape[1:3]
    scale = max(1, round(CELL_IMAGE_PIXELS / max(height, width)))
    cell_width, cell_height = 2 * scale * width + 3 * GAP_PIXELS, scale * height + LABEL_PIXELS + GAP_PIXELS
    columns = max(1, round(math.sqrt(len(seen.images) * cell_height / cell_width)))
    rows = math.ceil(len(seen.images) / columns)
    sheet = Image.new("RGB", (columns * cell_width, rows * cell_height), "white")
    draw = ImageDraw.Draw(sheet)
    font, can_draw = _find_font(class_names)
    for index, (before, after, label) in enumerate(zip(seen.images, seen.augmented, seen.labels, strict=True)):
        left, top = index % columns * cell_width + GAP_PIXELS, index // columns * cell_height
        name = class_names[label] if 0 <= label < len(class_names) else f"no class: {label}"
        name = name if can_draw(name) else f"class {label}"
        draw.text((left, top + 4), _fit(name, 2 * scale * width, font), "black", font)
        for offset, pixels in enumerate((before, after)):
            image = Image.fromarray(pixels).resize((scale * width, scale * height), Image.Resampling.NEAREST)
            sheet.paste(image, (left + offset * (scale * width + 1), top + LABEL_PIXELS))
    sheet.save(path, "PNG")


def _find_font(texts: Sequence[str]) -> tuple[ImageFont.FreeTypeFont, Callable[[str], bool]]:
    """Returns DejaVu Sans or the installed font that covers most of `texts`, and a test if it can draw a text."""
    from matplotlib import font_manager
    from PIL import ImageFont

    wanted = set("".join(texts))
    best = str(font_manager.findfont("DejaVu Sans"))
    drawn = _characters(best)
    if not wanted <= drawn:
        for path in font_manager.findSystemFonts():
            found = _characters(path)
            if len(wanted & found) > len(wanted & drawn):
                best, drawn = path, found
    return ImageFont.truetype(best, FONT_PIXELS), lambda text: set(text) <= drawn


def _characters(font_path: str) -> set[str]:
    """Returns the characters that a font has glyphs for; none if it cannot be read, such as a bitmap font."""
    from matplotlib.ft2font import FT2Font

    try:
        return set(map(chr, FT2Font(font_path).get_charmap()))
    except RuntimeError:
        return set()


def _fit(text: str, width: float, font: ImageFont.FreeTypeFont) -> str:
    """Returns the text, cut where it would run into the next cell."""
    while len(text) > 1 and font.getlength(text) > width:
        text = text[:-2] + "…"
    return text


if __name__ == "__main__":
    sys.exit(main())
