"""`python -m pipeline.predict PHOTO…`: classifies photos with the published model and prints a caption for each.

With `--input=PLACE --output=FOLDER` it classifies all photos of a place, as many as there are, into Parquet files.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pipeline.errors import ExitCode, UsageError
from pipeline.orchestrator.console import libraries_write_to
from pipeline.orchestrator.lost_interrupts import lost_interrupts_sent_again
from pipeline.predict import WORK_THREAD
from pipeline.predict.caption import caption
from pipeline.predict.served import LoadingError, find_version, load
from pipeline.store.opening import DEFAULT_ROOT
from pipeline.text import print_any_text, printable

if TYPE_CHECKING:
    from pipeline.predict.served import ServedModel

FORMATS = ("text", "json")
GOES_ON = "The same command goes on from what is done."
AGAIN_SECONDS = 0.5  # after which a Ctrl-C that Python has lost is sent again


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one line per photo, or one JSON object. Returns the exit code: 1 if a photo cannot be read."""
    print_any_text()
    options, beam_args = parse(arguments)
    if options.input is not None:
        return _predict_all(options, beam_args)
    try:
        with libraries_write_to(Path(os.devnull), sys.stdout) as terminal, lost_interrupts_sent_again(AGAIN_SECONDS):
            model = load(find_version(options.pipeline_root, options.version))
            answers = _answers(model, options.photos, options.member)
            report = _print_json if options.output == "json" else _print_lines
            return ExitCode.FAILED if report(model, options.photos, answers, terminal) else ExitCode.DONE
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except KeyboardInterrupt:
        return _leave("stopped by Ctrl-C.", ExitCode.INTERRUPTED)
    except LoadingError as error:
        return _leave(str(error), ExitCode.FAILED)


def _predict_all(options: argparse.Namespace, beam_args: Sequence[str]) -> int:
    """Classifies all photos of `options.input`. Returns the exit code; after Ctrl-C, the process ends here."""
    from pipeline.orchestrator.worker_error import innermost

    try:
        with libraries_write_to(Path(os.devnull), sys.stdout) as terminal:
            from pipeline.predict.bulk_command import predict_all

            predict_all(options, beam_args, terminal)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except KeyboardInterrupt:
        return _leave(f"stopped by Ctrl-C. {GOES_ON}", ExitCode.INTERRUPTED)
    except LoadingError as error:
        return _leave(str(error), ExitCode.FAILED)
    except Exception as error:  # whatever a runner raises
        return _leave(f"{innermost(error)}\n{GOES_ON}", ExitCode.FAILED)
    return ExitCode.DONE


def _leave(reason: str, code: ExitCode) -> int:
    """Says why the command ends. Ends the process where a thread still works: a normal exit would wait for it."""
    print(f"error: {reason}", file=sys.stderr, flush=True)
    if any(thread.name == WORK_THREAD for thread in threading.enumerate()):
        sys.stdout.flush()
        os._exit(code)
    return code


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Returns the command's own options, and those that are passed to Beam unchanged."""
    parser = make_parser()
    options, beam_args = parser.parse_known_args(arguments)
    if options.input is None:
        if beam_args:
            parser.error(f"unrecognized arguments: {' '.join(beam_args)}")
        if not options.photos:
            parser.error("give photos, or a place of photos with --input and a folder for their rows with --output")
        if options.output not in FORMATS:
            parser.error(f"--output={options.output}: expected text or json; a folder goes with --input")
        if urls := [photo for photo in options.photos if "://" in photo]:
            parser.error(f"{urls[0]} is no file of this machine. Fetch it first, or classify many with --input=s3://…")
    elif options.photos:
        parser.error(f"{options.photos[0]}: with --input, no photo is given. Write Beam's options as --NAME=VALUE")
    elif not options.input or not options.output:
        parser.error("--input and --output must not be empty: name the place of the photos, and a folder")
    elif options.output in FORMATS:
        parser.error(f"--output={options.output}: with --input, name a folder for the rows, such as ./predictions")
    options.photos = [Path(photo) for photo in options.photos]  # only now: a Path writes s3:// as s3:/
    return options, beam_args


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.predict",
        description="Classifies photos of any size and kind (JPEG, PNG, HEIC, WebP, ...) with the published model. "
        "Photos are turned upright, cropped and resized as its model card says.",
        epilog="With --input, every other option is passed to Beam unchanged, and photos that cannot be read are rows "
        "with an error. Exit codes: 0 every photo was read, or has its row; 1 one was not, or the work failed; 2 wrong "
        "usage; 130 stopped.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("photos", nargs="*", metavar="PHOTO", help="an image file; its name does not matter")
    add("--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root; also s3:// and gs://")
    add("--version", type=int, metavar="N", help="a published version (default: the latest)")
    add("--member", default="…", metavar="NAME", help="who uploaded the photos, for the caption")
    add("--output", default="text", help="text, or json: one object with all probabilities; with --input: a folder, "
        "s3:// or gs:// URL for Parquet files")  # fmt: skip
    add("--input", metavar="PLACE", help="classifies all photos of a folder, a URL, or a prepared dataset")
    add("--runner", default="DirectRunner", help="with --input: a Beam runner; DirectRunner runs on this machine")
    return parser


def _answers(model: ServedModel, photos: Sequence[Path], member: str) -> Iterator[dict[str, Any]]:
    """Yields for each photo its class, probabilities and caption, or an `error`."""
    from components.images.photos import UnreadableError

    for file in photos:
        try:
            prediction = model.predict(model.read(file))
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
