"""`python -m pipeline.review`: serves the page of the review on this machine."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ExitCode, UsageError
from pipeline.store.opening import DEFAULT_ROOT
from pipeline.text import print_any_text
from pipeline.web.serving import add_address_options, listen, parse_address, serve, trusted_by

if TYPE_CHECKING:
    from pipeline.review.opening import Review

NAMED = 10  # photos that cannot be read


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the page until it is interrupted. Returns the exit code."""
    print_any_text()
    parser = make_parser()
    options = parse_address(parser, arguments)
    if options.list and not options.unlabeled:
        parser.error("--list goes with --unlabeled")
    if options.keep_together and options.unlabeled:
        parser.error("--keep_together goes with findings, not with --unlabeled")
    try:
        if options.keep_together:
            print(_keep_together(options))
            return ExitCode.DONE
        review = _open(options)
        if review.unreadable:
            print(_unreadable(review.unreadable), file=sys.stderr)
        if options.list:
            _list(review)
            return ExitCode.DONE
        listening = listen(options.host, options.port)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except OSError as error:
        print(f"error: {options.pipeline_root} cannot be read: {error}", file=sys.stderr)
        return ExitCode.FAILED
    from pipeline.review.app import make_app

    what = "photos without labels, with" if options.unlabeled else "findings of"
    note = f"reviews {len(review.items):,} {what} run {review.run_id}; decisions go to {review.corrections}"
    serve(make_app(review, trusted_by(options)), listening, options.host, note)
    return ExitCode.DONE


def _places(options: argparse.Namespace) -> tuple[str, str | None, str | None, str | None]:
    return options.pipeline_root, options.run, options.source, options.corrections


def _keep_together(options: argparse.Namespace) -> str:
    from pipeline.review.keep_together import keep_together

    return keep_together(*_places(options)).words()


def _unreadable(files: Sequence[str]) -> str:
    """Returns a sentence about photos that cannot be read."""
    photos = "1 photo cannot be read and is" if len(files) == 1 else f"{len(files):,} photos cannot be read and are"
    return f"{photos} passed over: {', '.join(files[:NAMED])}{', ...' if len(files) > NAMED else ''}"


def _open(options: argparse.Namespace) -> Review:
    places = _places(options)
    if not options.unlabeled:
        from pipeline.review.opening import open_review

        return open_review(*places)
    from pipeline.orchestrator.console import libraries_write_to

    with libraries_write_to(Path(os.devnull), sys.stderr) as terminal:
        from pipeline.review.unlabeled import open_unlabeled

        def report(done: int, total: int) -> None:
            print(f"embedded {done:,} of {total:,} photos", file=terminal, flush=True)

        return open_unlabeled(*places, unlabeled=options.unlabeled, count=options.count, report=report)


def _list(review: Review) -> None:
    """Prints a line of JSON for each photo without a label, the one that would teach most first."""
    from components.corrections_file import find_file

    for item in review.items:
        file = os.path.normpath(find_file(review.folder, item.files[0]))
        print(json.dumps({"file": file, "likeliest": item.better_label, "probability": round(item.score, 4)}))


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.review",
        description="Serves a page on which people look at what a run found wrong with the photos, and decide: keep, "
        "another label, leave out, the same photo or not. Decisions go into corrections.csv, which the next run reads. "
        "No photo is changed. Only this machine can reach the page unless --host says otherwise.",
    )
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="a run's name or the beginning of it; default: the newest with findings"
    )
    parser.add_argument(
        "--unlabeled",
        metavar="FOLDER",
        help="shows, in place of findings, the photos of a folder without labels that would teach most, to be labeled; "
        "of the rows of pipeline.predict --input, among those of which the model was least sure",
    )
    parser.add_argument("--count", type=_positive, default=100, metavar="N", help="the most such photos (100)")
    parser.add_argument("--list", action="store_true", help="prints such photos as lines of JSON, and serves no page")
    parser.add_argument(
        "--keep_together",
        action="store_true",
        help="notes that near copies are the same photo, where nobody has said otherwise, and serves no page: where "
        "ingest draws the splits, the next run keeps each group in one",
    )
    parser.add_argument(
        "--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root, a folder or a URL"
    )
    parser.add_argument("--source", metavar="PATH", help="the folder or .csv file of the photos, if it was moved")
    parser.add_argument(
        "--corrections", metavar="FILE",
        help="the file of decisions, if ingest.corrections names another one now than in the run",
    )  # fmt: skip
    add_address_options(parser, port=8001)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a number from 1 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
