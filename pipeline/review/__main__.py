"""`python -m pipeline.review`: serves the page of the review on this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pipeline.errors import ExitCode, UsageError
from pipeline.store.opening import DEFAULT_ROOT, local_root
from pipeline.text import print_any_text
from pipeline.web.serving import add_address_options, listen, parse_address, serve, trusted_by


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the page until it is interrupted. Returns the exit code."""
    print_any_text()
    options = parse_address(make_parser(), arguments)
    from pipeline.review.opening import open_review

    try:
        review = open_review(local_root(options.pipeline_root), options.run, options.source, options.corrections)
        listening = listen(options.host, options.port)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    from pipeline.review.app import make_app

    note = f"reviews {len(review.items):,} findings of run {review.run_id}; decisions go to {review.corrections}"
    serve(make_app(review, trusted_by(options)), listening, options.host, note)
    return ExitCode.DONE


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
    parser.add_argument("--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root")
    parser.add_argument("--source", metavar="PATH", help="the folder or .csv file of the photos, if it was moved")
    parser.add_argument(
        "--corrections", metavar="FILE",
        help="the file of decisions, if ingest.corrections names another one now than in the run",
    )  # fmt: skip
    add_address_options(parser, port=8001)
    return parser


if __name__ == "__main__":
    sys.exit(main())
