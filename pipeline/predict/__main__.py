"""`python -m pipeline.predict PHOTO…`: classifies photos with the published model and prints a caption for each."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pipeline.errors import ExitCode, UsageError
from pipeline.orchestrator.console import libraries_write_to
from pipeline.predict.caption import caption
from pipeline.predict.served import LoadingError, find_version, load
from pipeline.store.opening import DEFAULT_ROOT, local_root
from pipeline.text import print_any_text, printable

if TYPE_CHECKING:
    from pipeline.predict.served import ServedModel


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one line per photo, or one JSON object. Returns the exit code: 1 if a photo cannot be read."""
    print_any_text()
    options = make_parser().parse_args(arguments)
    try:
        root = local_root(options.pipeline_root)
        with libraries_write_to(Path(os.devnull), sys.stdout) as terminal:
            model = load(find_version(root, options.version))
            answers = _answers(model, options.photos, options.member)
            report = _print_json if options.output == "json" else _print_lines
            return ExitCode.FAILED if report(model, options.photos, answers, terminal) else ExitCode.DONE
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except LoadingError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.FAILED


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.predict",
        description="Classifies photos of any size and kind (JPEG, PNG, HEIC, WebP, ...) with the published model. "
        "Photos are turned upright, cropped and resized as its model card says.",
        epilog="Exit codes: 0 every photo was read; 1 a photo was not, or the model cannot be loaded; 2 wrong usage.",
    )
    add = parser.add_argument
    add("photos", nargs="+", type=Path, metavar="PHOTO", help="an image file; its name does not matter")
    add("--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root")
    add("--version", type=int, metavar="N", help="a published version (default: the latest)")
    add("--member", default="…", metavar="NAME", help="who uploaded the photos, for the caption")
    add("--output", choices=("text", "json"), default="text", help="json: one object with all probabilities")
    return parser


def _answers(model: ServedModel, photos: Sequence[Path], member: str) -> Iterator[dict[str, Any]]:
    """Yields for each photo its class, probabilities and caption, or an `error`."""
    from components.images.photos import UnreadableError, read_photo

    for file in photos:
        try:
            prediction = model.predict(read_photo(file).pixels)
        except UnreadableError as error:
            yield {"file": str(file), "error": str(error)}
            continue
        yield {
            "file": str(file),
            "class": prediction.class_name,
            "probability": prediction.probability,
            "caption": caption(member, prediction.named),
            "probabilities": prediction.probabilities,
        }


def _print_lines(model: ServedModel, photos: Sequence[Path], answers: Iterator[dict[str, Any]], out: TextIO) -> bool:
    """Prints lines such as `frog.jpg  frog  0.93  … uploaded a photo of a frog`. Returns whether a photo failed."""
    print(f"version {model.version}: {_about_confidence(model)}", file=out)
    file_width = max(len(printable(str(file))) for file in photos)
    class_width = max(map(len, model.card.class_names))
    failed = False
    for answer in answers:
        file = f"{printable(answer['file']):<{file_width}}"
        if "error" in answer:
            failed = True
            print(f"{file}  error: {printable(answer['error'])}", file=out)
            continue
        said = f"{answer['class']:<{class_width}}  {answer['probability']:.3f}  {answer['caption']}"
        print(f"{file}  {said}", file=out)
    return failed


def _about_confidence(model: ServedModel) -> str:
    card = model.card
    if card.confidence is None:
        return f"its card states no confidence; a class is named from {model.confidence:.3g} on"
    aim = "" if card.caption_precision is None else f" for {card.caption_precision:.0%} right"
    if card.confidence > 1:
        return f"no class is named: its evaluation found no confidence{aim}"
    return f"a class is named from {card.confidence:.3g} on, which its evaluation chose{aim}"


def _print_json(model: ServedModel, photos: Sequence[Path], answers: Iterator[dict[str, Any]], out: TextIO) -> bool:
    """Prints one JSON object after the last photo. Returns whether a photo failed."""
    listed = list(answers)
    report = {
        "version": model.version,
        "confidence": model.confidence,
        "confidence_of": "default" if model.card.confidence is None else "evaluation",
        "photos": listed,
    }
    print(json.dumps(report), file=out)
    return any("error" in answer for answer in listed)


if __name__ == "__main__":
    sys.exit(main())
